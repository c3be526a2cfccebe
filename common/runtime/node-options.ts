import { readFileSync } from 'node:fs';
import { Type } from '../contract/type.ts';
import { coded, systemCode } from './errors.ts';
import { isLoopback } from './listen.ts';
import { logLevels } from './log.ts';

/** What every process's configuration says of its log. */
export const logOptions = Type.Object({
  level: Type.Union(
    logLevels.map((level) => Type.Literal(level)),
    { default: 'info', description: 'Least level that is logged' },
  ),
  format: Type.Union([Type.Literal('auto'), Type.Literal('json'), Type.Literal('pretty')], {
    default: 'auto',
    description: 'Form of the log; auto is pretty on a terminal',
  }),
});

/** How a node is told to join; see `readEnrolmentCode`. */
export const enrolmentOptions = {
  enrolmentCode: Type.Optional(Type.String({ description: 'Single-use code to join with; needed once' })),
  enrolmentCodeFile: Type.Optional(
    Type.String({ description: 'File that holds the code; read where not enrolled' }),
  ),
};

/** For servers that take credentials; see `refusePublic`. */
export const insecurePublicOption = Type.Boolean({
  default: false,
  description: 'Listen without TLS on an address that others reach: only behind a proxy that speaks TLS',
});

/**
 * Holds a server that takes credentials to loopback (ADR 12).
 *
 * @throws CONFIG_INVALID for an address that others reach, unless it is wanted so.
 */
export function refusePublic({ host, insecurePublic }: { host: string; insecurePublic: boolean }): void {
  if (isLoopback(host) || host === 'localhost' || insecurePublic) return;
  throw coded(
    'CONFIG_INVALID',
    `${host} is reached by others, and credentials would cross the network in the clear; listen on 127.0.0.1 ` +
      'behind a proxy that speaks TLS, or say --insecure-public',
  );
}

const codeLengthMax = 1024;

/**
 * The enrolment code that is configured, itself or by the file that holds it. Undefined where there is neither: a node
 * that is enrolled needs none, and whoever enrolled it may have removed the file.
 *
 * @throws CONFIG_INVALID when the file cannot be read.
 */
export function readEnrolmentCode(config: {
  enrolmentCode?: string;
  enrolmentCodeFile?: string;
}): string | undefined {
  const { enrolmentCode, enrolmentCodeFile: path } = config;
  if (enrolmentCode !== undefined || path === undefined) return enrolmentCode;
  try {
    return readFileSync(path, 'utf8').slice(0, codeLengthMax).trim();
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw coded('CONFIG_INVALID', { detail: `the enrolment code in ${path} cannot be read`, cause });
  }
}
