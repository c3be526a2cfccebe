import type { AccountView, FirstAdminRequest } from '../../../common/contract/accounts.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { secretsEqual } from '../../../common/runtime/keys.ts';
import { createTurns } from '../turns.ts';
import type { Accounts } from './accounts.ts';
import { countRefusal } from './audited.ts';
import { networkOf } from './core/client-network.ts';
import type { AuthAudit } from './ports.ts';

/** The way in while there is no account: a code that the process prints at its start, good once and for this process only. */
export interface FirstAdmin {
  /** Undefined once there are accounts. */
  code(): string | undefined;
  /** FIRST_ADMIN_CODE_INVALID, PASSWORD_WEAK; after one of the latter the code is still good. */
  add(request: FirstAdminRequest, address: string): Promise<AccountView>;
}

// Crockford's base 32: nothing that is read for something else.
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const groups = 5;
const groupLength = 4;

/** Opens the way in for the first admin. */
export async function openFirstAdmin(options: {
  accounts: Accounts;
  audit: AuthAudit;
  chance: Chance;
}): Promise<FirstAdmin> {
  const { accounts, audit, chance } = options;
  const inTurn = createTurns();
  let code = (await accounts.areThere()) ? undefined : makeCode(chance);
  return {
    code: () => code,
    add: ({ code: given, ...request }, address) =>
      inTurn(async () => {
        if (code !== undefined && (await accounts.areThere())) code = undefined;
        const action = 'first admin';
        if (code === undefined || !secretsEqual(plain(given), plain(code))) {
          countRefusal(audit, { account: undefined, address }, { action, code: 'FIRST_ADMIN_CODE_INVALID' });
          throw coded(
            'FIRST_ADMIN_CODE_INVALID',
            'the control plane prints it at its start while there is no account',
          );
        }
        const account = await audit.run(
          { account: '-', network: networkOf(address), action },
          () => accounts.add({ ...request, role: 'admin' }),
          ({ id }) => id,
        );
        code = undefined;
        return account;
      }),
  };
}

function makeCode(chance: Chance): string {
  const letters = [...chance.bytes(groups * groupLength)].map(
    (byte) => alphabet[byte % alphabet.length] ?? '',
  );
  const parts = Array.from({ length: groups }, (_, at) =>
    letters.slice(at * groupLength, (at + 1) * groupLength).join(''),
  );
  return parts.join('-');
}

// Crockford: O is read as 0, I and L as 1.
function plain(code: string): string {
  return code.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1');
}
