import type { Records } from '../../../common/adapters/records/port.ts';
import type { PersonalData } from '../personal-data.ts';
import type { Accounts } from './accounts.ts';
import type { ApiTokens } from './api-tokens.ts';
import type { OidcStore } from './oidc/adapter.ts';
import type { Outbox } from './outbox.ts';
import type { Passkeys } from './passkeys.ts';
import type { Sessions } from './sessions.ts';

/** Accounts as personal data, with everything that they can sign in with. */
export function personalAccounts(options: {
  records: Records;
  accounts: Accounts;
  apiTokens: ApiTokens;
  passkeys: Passkeys;
  sessions: Sessions;
  store: OidcStore;
  outbox: Pick<Outbox, 'forget'>;
}): PersonalData {
  const { records, accounts, apiTokens, passkeys, sessions, store, outbox } = options;
  return {
    name: 'account',
    async export(id) {
      const account = await accounts.view(id);
      if (account === undefined) return undefined;
      const keys = (await passkeys.list(id)).map(({ name, createdAtMs }) => ({ name, createdAtMs }));
      const [held, tokens] = [await sessions.list(id), await apiTokens.list(id)];
      return { ...account, sessions: held, apiTokens: tokens, passkeys: keys };
    },
    async erase(id) {
      // First: without the account no token of it is taken, and none is made.
      await accounts.remove(id);
      await apiTokens.removeOf(id);
      await passkeys.removeAll(id);
      await sessions.endAll(id);
      await store.removeMentioning(id);
      await outbox.forget(id);
    },
    purge: () => records.purge(),
  };
}
