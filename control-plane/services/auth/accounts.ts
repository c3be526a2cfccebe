import type { AccountPatch, AccountRequest, AccountView } from '../../../common/contract/accounts.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, isCoded } from '../../../common/runtime/errors.ts';
import { createTurns } from '../turns.ts';
import { passwordFault } from './core/password-strength.ts';
import { epochOf } from './oidc/password-epoch.ts';
import type { Passwords } from './passwords.ts';
import type { AccountRecord, AuthRecords } from './records.ts';

/** The people who may sign in. */
export interface Accounts {
  /** EMAIL_TAKEN, PASSWORD_WEAK, INVALID for sites of anyone but a partner. */
  add(request: AccountRequest): Promise<AccountView>;
  /** An account that is not kept yet. PASSWORD_WEAK, INVALID. */
  draft(request: AccountRequest): Promise<AccountRecord>;
  /** Keeps a draft, once. EMAIL_TAKEN. */
  keep(draft: AccountRecord): Promise<AccountView>;
  /** By id, from behind `after` on. */
  list(page: { after?: string | undefined; limit: number }): Promise<AccountView[]>;
  find(id: string): Promise<AccountRecord | undefined>;
  view(id: string): Promise<AccountView | undefined>;
  findByEmail(email: string): Promise<AccountRecord | undefined>;
  /** Changes an account that `check` does not throw at, if one is given; a new password begins another epoch. ACCOUNT_UNKNOWN, PASSWORD_WEAK, INVALID. */
  change(id: string, patch: AccountPatch, check?: (before: AccountRecord) => void): Promise<AccountView>;
  /** Puts what `to` makes of an account, in turn with all other changes. ACCOUNT_UNKNOWN, and what `to` throws. */
  update(id: string, to: (account: AccountRecord) => AccountRecord): Promise<void>;
  remove(id: string): Promise<void>;
  areThere(): Promise<boolean>;
}

export interface AccountsOptions {
  records: AuthRecords;
  passwords: Passwords;
  clock: Clock;
  chance: Chance;
  /** Hears of each account that was added. */
  onAdd: (id: string) => void;
}

/** Opens the accounts. */
export function createAccounts({ records, passwords, clock, chance, onAdd }: AccountsOptions): Accounts {
  const inTurn = createTurns();
  const find = async (id: string) => (await records.accounts.get(id))?.value;
  const known = async (id: string): Promise<AccountRecord> => {
    const account = await find(id);
    if (account === undefined) throw coded('ACCOUNT_UNKNOWN', id);
    return account;
  };
  const hashNew = (password: string, about: { email: string; name: string }) =>
    hashNewPassword(passwords, password, about);

  const draft = (request: AccountRequest) => draftAccount(request, { hashNew, clock, chance });
  const keep = async (account: AccountRecord): Promise<AccountView> => {
    if ((await find(account.id)) === undefined) await putNew(records, account);
    // Said again where it is kept again: whoever hears of it once too often does no harm.
    onAdd(account.id);
    return viewOf(account);
  };

  return {
    find,
    async view(id) {
      const account = await find(id);
      return account && viewOf(account);
    },
    async findByEmail(email) {
      const held = await records.emails.get(keyOf(email));
      return held && find(held.value.id);
    },
    draft,
    keep,
    add: async (request) => keep(await draft(request)),
    async list({ after, limit }) {
      return (await records.accounts.scan({ after, limit })).map(({ value }) => viewOf(value));
    },
    change: (id, { password, ...patch }, check) =>
      inTurn(async () => {
        const before = await known(id);
        check?.(before);
        const renewed = password !== undefined && {
          passwordHash: await hashNew(password, { ...before, ...patch }),
          passwordEpoch: epochOf(before) + 1,
        };
        const after = { ...before, ...patch, ...renewed };
        checkSites(after);
        await records.accounts.put(id, after);
        return viewOf(after);
      }),
    update: (id, to) =>
      inTurn(async () => {
        await records.accounts.put(id, to(await known(id)));
      }),
    remove: (id) =>
      inTurn(async () => {
        const account = await find(id);
        if (account === undefined) return;
        await records.all.commit([
          records.accounts.removeOperation(id),
          records.emails.removeOperation(keyOf(account.email)),
        ]);
      }),
    areThere: async () => (await records.accounts.scan({ limit: 1 })).length > 0,
  };
}

async function hashNewPassword(
  passwords: Passwords,
  password: string,
  about: { email: string; name: string },
): Promise<string> {
  const fault = passwordFault(password, [about.email, about.name]);
  if (fault !== undefined) throw coded('PASSWORD_WEAK', `it ${fault}`);
  return passwords.hash(password);
}

async function draftAccount(
  { email, name, role, sites = [], password }: AccountRequest,
  {
    hashNew,
    clock,
    chance,
  }: Pick<AccountsOptions, 'clock' | 'chance'> & {
    hashNew: (password: string, about: { email: string; name: string }) => Promise<string>;
  },
): Promise<AccountRecord> {
  checkSites({ role, sites });
  const passwordHash = await hashNew(password, { email, name });
  const id = `usr_${chance.bytes(12).toString('base64url')}`;
  const about = { id, email, name, role, sites, disabled: false };
  return { ...about, createdAtMs: clock.nowMs(), passwordHash };
}

/** EMAIL_TAKEN. */
async function putNew({ all, emails, accounts }: AuthRecords, account: AccountRecord): Promise<void> {
  const { id, email } = account;
  try {
    await all.commit([emails.putOperation(keyOf(email), { id }, 0), accounts.putOperation(id, account, 0)]);
  } catch (cause) {
    if (isCoded(cause, 'RECORDS_CONFLICT')) throw coded('EMAIL_TAKEN', { detail: email, cause });
    throw cause;
  }
}

function viewOf({ passwordHash: _secret, passwordEpoch: _epoch, totp, ...view }: AccountRecord): AccountView {
  return { ...view, totp: totp?.confirmedAtMs !== undefined };
}

function keyOf(email: string): string {
  return email.toLowerCase();
}

function checkSites({ role, sites }: Pick<AccountRecord, 'role' | 'sites'>): void {
  if (role !== 'partner' && sites.length > 0) throw coded('INVALID', 'sites: only a partner has sites');
  if (role === 'partner' && sites.length === 0)
    throw coded('INVALID', 'sites: name the sites whose boxes the partner sees');
}
