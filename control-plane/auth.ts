import { openMail } from '../common/adapters/mail/open.ts';
import type { Base } from './base.ts';
import { readPassphrase } from './backup/passphrase.ts';
import { forgetRestored, restoredFromMs } from './restored.ts';
import type { Access } from './services/access/service.ts';
import { createAuth, type Auth, type AuthOptions } from './services/auth/service.ts';
import type { Stores } from './stores.ts';

export interface OpenAuthOptions extends Pick<AuthOptions, 'audit' | 'publicUrl'> {
  stores: Stores;
  access: Access;
}

/** Opens accounts and sign-in, the last of the services for which a restore means something. */
export async function openAuth(
  { config, clock, chance, log }: Base,
  { stores, access, audit, publicUrl }: OpenAuthOptions,
): Promise<Auth> {
  const { url, from, passwordFile } = config.mail;
  const password = await readPassphrase(passwordFile);
  const auth = await createAuth({
    records: await stores.openGrouped('auth'),
    mail: await openMail(url, { from, password, clock }),
    publicUrl,
    keys: () => access.keys.signers('access'),
    isRestored: (await restoredFromMs(config.dataDir)) !== undefined,
    secondFactorRoles: config.auth.secondFactorRoles,
    ...{ clock, chance, log, audit },
  });
  await forgetRestored(config.dataDir);
  return auth;
}
