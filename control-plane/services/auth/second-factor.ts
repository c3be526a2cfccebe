import type { AccountRole } from '../../../common/contract/accounts.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { hashSecret } from '../../../common/runtime/keys.ts';
import type { Accounts } from './accounts.ts';
import { countRefusal } from './audited.ts';
import { SignInThrottle } from '../../core/sign-in-throttle.ts';
import { fromBase32, matchTotp, toBase32, totpUri } from './core/totp.ts';
import type { AuthAudit } from './ports.ts';
import type { AccountRecord, TotpRecord } from './records.ts';
import type { Seals } from '../seals.ts';

/** A code that someone typed to sign in, and where. */
export interface CodeTry {
  account: AccountRecord;
  code: string;
  address: string;
  /** What the browser keeps of an earlier sign-in. */
  mark: string | undefined;
}

/** Codes of an authenticator (TOTP, RFC 6238), asked for after the password. */
export interface SecondFactor {
  /** Whether a code is asked for when this account signs in. */
  isAsked(account: AccountRecord): boolean;
  /** Whether the account's role may do nothing without codes, and it has none. */
  isMissing(account: AccountRecord): boolean;
  /** Makes a key, which counts once a code of it is confirmed. CONFLICT where codes are asked for already. */
  begin(account: AccountRecord): Promise<void>;
  /** The key that waits for its first code, with the link for the authenticator; undefined where none does, and after ten minutes. */
  pending(account: AccountRecord): { key: string; uri: string } | undefined;
  /** Asks for codes from now on. @returns recovery codes, to be shown this once. SECOND_FACTOR_FAILED, RATE_LIMITED. */
  confirm(tried: CodeTry): Promise<string[]>;
  /** Takes a code or a recovery code, each once. SECOND_FACTOR_FAILED, RATE_LIMITED. */
  check(tried: CodeTry): Promise<void>;
  /** Asks for no codes any more. ACCOUNT_UNKNOWN. */
  remove(accountId: string): Promise<void>;
}

export interface SecondFactorOptions {
  accounts: Accounts;
  seals: Seals;
  audit: AuthAudit;
  /** Roles that may do nothing without codes. */
  roles: readonly AccountRole[];
  clock: Clock;
  chance: Chance;
}

const keyBytes = 20;
const pendingMs = 10 * 60_000;
const recoveryCodes = 10;
const recoveryBytes = 10;

/** Opens the second factor. */
export function createSecondFactor(options: SecondFactorOptions): SecondFactor {
  const { accounts, roles, clock, chance } = options;
  const attempt = createAttempts(options);
  const isAsked = ({ totp }: AccountRecord): boolean => totp?.confirmedAtMs !== undefined;

  /** What is kept once a code was used; undefined where it is not right. */
  const used = (totp: TotpRecord, code: string): TotpRecord | undefined => {
    const lastStep = matchTotp(fromBase32(totp.key), code, { nowMs: clock.nowMs(), lastStep: totp.lastStep });
    return lastStep === undefined ? undefined : { ...totp, lastStep };
  };
  const isPending = ({ confirmedAtMs, begunAtMs }: TotpRecord): boolean =>
    confirmedAtMs === undefined && clock.nowMs() - begunAtMs < pendingMs;

  return {
    isAsked,
    isMissing: (account) => roles.includes(account.role) && !isAsked(account),
    async begin({ id }) {
      await accounts.update(id, (held) => {
        if (isAsked(held)) throw coded('CONFLICT', 'codes are asked for already; end that first');
        const key = toBase32(chance.bytes(keyBytes));
        return { ...held, totp: { key, begunAtMs: clock.nowMs(), lastStep: 0, recovery: [] } };
      });
    },
    pending({ email, totp }) {
      if (totp === undefined || !isPending(totp)) return undefined;
      return { key: totp.key, uri: totpUri({ issuer: 'Nearcast', account: email, key: totp.key }) };
    },
    async confirm(tried) {
      const codes = Array.from({ length: recoveryCodes }, () => toBase32(chance.bytes(recoveryBytes)));
      await attempt(tried, (totp, code) => {
        const confirmed = isPending(totp) ? used(totp, code) : undefined;
        return confirmed && { ...confirmed, confirmedAtMs: clock.nowMs(), recovery: codes.map(hashSecret) };
      });
      return codes.map((code) => (code.match(/.{4}/g) ?? []).join('-'));
    },
    check: (tried) =>
      attempt(tried, (totp, code) => {
        if (totp.confirmedAtMs === undefined) return undefined;
        const hash = hashSecret(code);
        if (!totp.recovery.includes(hash)) return used(totp, code);
        return { ...totp, recovery: totp.recovery.filter((one) => one !== hash) };
      }),
    async remove(accountId) {
      await accounts.update(accountId, ({ totp: _gone, ...held }) => held);
    },
  };
}

/** Puts what `judge` makes of the account's key and a code that was typed; undefined is a refusal. */
type Attempt = (
  tried: CodeTry,
  judge: (totp: TotpRecord, code: string) => TotpRecord | undefined,
) => Promise<void>;

function createAttempts({ accounts, seals, audit, clock }: SecondFactorOptions): Attempt {
  // By account, wherever they come from: whoever gets here knows the password. A browser of the person's own counts apart.
  const throttle = new SignInThrottle();
  return async ({ account, code, address, mark }, judge) => {
    const { id } = account;
    const isMarked = mark !== undefined && seals.isSeal('mark', id, mark);
    const key = isMarked ? `marked ${id}` : id;
    const refused = (problem: 'RATE_LIMITED' | 'SECOND_FACTOR_FAILED', retryAfterMs?: number): Error => {
      countRefusal(audit, { account, address }, { action: 'sign-in code', code: problem });
      return coded(problem, { retryAfterMs });
    };
    const waitMs = throttle.begin(key, clock.monotonicMs());
    if (waitMs > 0) throw refused('RATE_LIMITED', waitMs);
    await accounts.update(id, (held) => {
      const totp = held.totp && judge(held.totp, code.toUpperCase().replaceAll(/[\s-]/g, ''));
      if (totp === undefined) throw refused('SECOND_FACTOR_FAILED');
      return { ...held, totp };
    });
    throttle.succeed(key);
  };
}
