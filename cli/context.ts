import { readFile } from 'node:fs/promises';

import { isApiToken } from '../common/core/api-token.ts';
import { createSystemClock } from '../common/runtime/clock.ts';
import { coded, systemCode } from '../common/runtime/errors.ts';
import { createApi, type Api } from './api.ts';
import { signedInToken, type SignInContext } from './sign-in.ts';
import { createOutput, type Output } from './output/output.ts';

/** The options that every command takes. */
export interface GlobalOptions {
  server?: string;
  tokenFile?: string;
  json?: boolean;
}

/** What a command works with. */
export interface CommandContext {
  readonly api: Api;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** Where an operator's token is looked for when none is named: the control plane's default, then the demo's. */
export const defaultTokenFiles = [
  'nearcast-data/control-plane/operator.token',
  '.nearcast-demo/control-plane/operator.token',
];
export const defaultServer = 'http://127.0.0.1:7070';

/** What goes out for calls that take no credential. */
export const noToken = '';

/** Makes the context of one command from its options, the environment and the token to call with. */
export function createContext({
  options,
  env,
  signal,
  token,
}: {
  options: GlobalOptions;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  token: string;
}): CommandContext {
  const { server } = signInContext({ options, env, signal });
  return {
    api: createApi({ server, token, signal }),
    output: createOutput({
      json: options.json === true,
      stdout: process.stdout,
      stderr: process.stderr,
    }),
    signal,
  };
}

/** Where a command signs in, and by what. */
export function signInContext({
  options,
  env,
  signal,
}: {
  options: GlobalOptions;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}): SignInContext {
  const server = options.server ?? env['NEARCAST_SERVER'] ?? defaultServer;
  return { server, env, signal, clock: createSystemClock() };
}

/**
 * The token to call with: of a named file, of a sign-in, or of one of the default files. Errors: CREDENTIAL_MISSING where there is none,
 * CREDENTIAL_INVALID for a file that holds something else, CREDENTIAL_EXPIRED for a sign-in that has ended.
 */
export async function readToken(
  options: GlobalOptions,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string> {
  const named = options.tokenFile ?? env['NEARCAST_TOKEN_FILE'];
  const signedIn =
    named === undefined ? await signedInToken(signInContext({ options, env, signal })) : undefined;
  if (signedIn !== undefined) return signedIn;
  for (const file of named === undefined ? defaultTokenFiles : [named]) {
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      if (systemCode(cause) === 'ENOENT' && named === undefined) return undefined;
      throw coded('CREDENTIAL_MISSING', {
        detail: `the token file ${file} cannot be read (${systemCode(cause) ?? ''})`,
        cause,
      });
    });
    if (text === undefined) continue;
    // Three parts of base64url, or an API token; anything else would be refused later, in words about something else.
    if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text.trim()) || isApiToken(text.trim())) return text.trim();
    throw coded('CREDENTIAL_INVALID', `the file ${file} holds no token`);
  }
  throw coded(
    'CREDENTIAL_MISSING',
    `sign in with \`nearcast login\`, or name the operator's token with --token-file or NEARCAST_TOKEN_FILE; the control plane wrote it to operator.token in its data directory (looked for ${defaultTokenFiles.join(' and ')})`,
  );
}
