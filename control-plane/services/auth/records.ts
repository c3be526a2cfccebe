import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records, RecordValue } from '../../../common/adapters/records/port.ts';
import { AccountView, ApiTokenView } from '../../../common/contract/accounts.ts';
import { ObjectId, PlaceName, Thumbprint } from '../../../common/contract/primitives.ts';
import { Type, type Static, type TSchema } from '../../../common/contract/type.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

export const AccountRecord = Type.Object({
  ...AccountView.properties,
  /** argon2id in PHC's form; absent: nobody can sign in with a password. */
  passwordHash: Type.Optional(Type.String({ maxLength: 512 })),
});
export type AccountRecord = Static<typeof AccountRecord>;

/** A machine's token by the hash of its secret; the secret itself is nowhere. */
export const ApiTokenRecord = Type.Object({
  ...ApiTokenView.properties,
  /** What a partner's token sees: its account's, at the time it was made. */
  sites: Type.Array(PlaceName),
  secretHash: Thumbprint,
});
export type ApiTokenRecord = Static<typeof ApiTokenRecord>;

const IdRecord = Type.Object({ id: ObjectId });
const EmptyRecord = Type.Object({});

/** The collections of the auth service's own file. Each look-up is one by key or by the beginning of a key. */
export interface AuthRecords {
  all: Records;
  accounts: Collection<AccountRecord>;
  /** The account of an address, by the address in lower case. */
  emails: Collection<Static<typeof IdRecord>>;
  apiTokens: Collection<ApiTokenRecord>;
  /** Whose tokens there are, by `<owner>/<token>`. */
  apiTokensOf: Collection<Static<typeof EmptyRecord>>;
}

/** Opens the collections of the auth service. */
export function openAuthRecords(records: Records): AuthRecords {
  const open = <S extends TSchema>(name: string, schema: S, what: string) =>
    openCollection<Static<S> & RecordValue>(records, name, (value) => parseAs(schema, value, { what }));
  return {
    all: records,
    accounts: open('accounts', AccountRecord, 'the record of an account'),
    emails: open('emails', IdRecord, 'the record of an address'),
    apiTokens: open('api-tokens', ApiTokenRecord, 'the record of an API token'),
    apiTokensOf: open('api-tokens-of', EmptyRecord, 'the record of who has a token'),
  };
}
