import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

import { Type, type Static } from '../common/contract/type.ts';
import { parseJsonAs } from '../common/runtime/parse.ts';
import { readPrivateFile, writePrivateFile } from '../common/runtime/private-file.ts';

/** What a sign-in has left: tokens for one control plane. */
const Credentials = Type.Object({
  accessToken: Type.String(),
  refreshToken: Type.String(),
  issuedAtMs: Type.Integer(),
});
export type Credentials = Static<typeof Credentials>;

const CredentialsFile = Type.Record(Type.String(), Credentials);

/** Where sign-ins are kept, for their owner alone: `$XDG_CONFIG_HOME/nearcast/credentials.json`. */
function credentialsPath(env: NodeJS.ProcessEnv): string {
  return join(
    env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'),
    'nearcast',
    'credentials.json',
  );
}

async function readAll(env: NodeJS.ProcessEnv): Promise<Record<string, Credentials>> {
  const path = credentialsPath(env);
  const text = await readPrivateFile(path);
  return text === undefined ? {} : parseJsonAs(CredentialsFile, text, { what: path, code: 'STORE_CORRUPT' });
}

/** The tokens for a control plane; undefined where nobody signed in. Errors: CONFIG_INVALID where others may read them. */
export async function readCredentials(
  server: string,
  env: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  const all = await readAll(env);
  return Object.hasOwn(all, keyOf(server)) ? all[keyOf(server)] : undefined;
}

/** Keeps the tokens for a control plane, or with undefined forgets them. */
export async function writeCredentials(
  server: string,
  env: NodeJS.ProcessEnv,
  credentials: Credentials | undefined,
): Promise<void> {
  const path = credentialsPath(env);
  const { [keyOf(server)]: _before, ...others } = await readAll(env);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const all = credentials === undefined ? others : { ...others, [keyOf(server)]: credentials };
  await writePrivateFile(path, `${JSON.stringify(all, undefined, 2)}\n`);
}

function keyOf(server: string): string {
  return new URL(server).origin;
}
