import { Type, type Static } from '../../common/contract/type.ts';

/** What the appliance's configuration says of its access log (docs/access-log.md). */
export const accessLogOptions = Type.Object({
  enabled: Type.Boolean({ default: true, description: 'Write a line for each request to logs/access.log' }),
  addresses: Type.Boolean({
    default: true,
    description: 'Write a pseudonym of the address that changes every day; without, none at all',
  }),
  fileBytesMax: Type.Integer({
    minimum: 2 ** 20,
    maximum: 2 ** 40,
    default: 64 * 2 ** 20,
    description: 'A file of the access log that is larger is set aside; one of an earlier day is as well',
  }),
  filesMax: Type.Integer({
    minimum: 1,
    maximum: 10_000,
    default: 8,
    description: 'Files of the access log that are kept, compressed, besides the one that is written',
  }),
});
export type AccessLogOptions = Static<typeof accessLogOptions>;
