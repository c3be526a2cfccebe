import { Email } from '../../../common/contract/accounts.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, type CodedErrorOptions } from '../../../common/runtime/errors.ts';
import { matches } from '../../../common/runtime/parse.ts';
import type { Accounts } from './accounts.ts';
import { countRefusal } from './audited.ts';
import { customerOf, networkOf } from './core/client-network.ts';
import { SignInThrottle } from '../../core/sign-in-throttle.ts';
import type { Passwords } from './passwords.ts';
import type { AuthAudit } from './ports.ts';
import type { AccountRecord } from './records.ts';
import type { Seals } from '../seals.ts';

/** What someone says to sign in, and where from. */
export interface SignInTry {
  email: string;
  password: string;
  address: string;
  /** What `mark` gave to this browser; undefined for one that nobody has signed in with. */
  mark: string | undefined;
}

/** Lets people in by their password. */
export interface SignIn {
  /** SIGN_IN_FAILED, whatever was wrong; RATE_LIMITED after many failures, OVERLOADED. */
  attempt(tried: SignInTry): Promise<AccountRecord>;
  /** What a browser keeps, so that its tries are counted apart from those of others who guess. */
  mark(account: AccountRecord): string;
}

// A carrier's address is shared by thousands.
const customerFreeFailures = 50;
const emailLengthMax = 254;

/** Opens sign-in by password. */
export function createSignIn(options: {
  accounts: Accounts;
  passwords: Passwords;
  seals: Seals;
  audit: AuthAudit;
  clock: Clock;
}): SignIn {
  const { accounts, passwords, seals, audit, clock } = options;
  const byAccount = new SignInThrottle();
  const byCustomer = new SignInThrottle({ freeFailures: customerFreeFailures });
  const isMarked = (mark: string | undefined, account: AccountRecord | undefined): boolean =>
    mark !== undefined && account !== undefined && seals.isSeal('mark', account.id, mark);
  return {
    mark: ({ id }) => seals.seal('mark', id),
    async attempt({ email, password, address, mark }) {
      const account = matches(Email, email) ? await accounts.findByEmail(email) : undefined;
      const [network, customer] = [networkOf(address), customerOf(address)];
      const marked = isMarked(mark, account);
      const key = marked
        ? `marked ${account?.id ?? ''}`
        : `${network} ${email.toLowerCase().slice(0, emailLengthMax)}`;
      // Not the wall clock: one that is set back would make whoever is slowed down wait for as long again.
      const nowMs = clock.monotonicMs();
      const waitMs = Math.max(byAccount.begin(key, nowMs), marked ? 0 : byCustomer.begin(customer, nowMs));
      const refused = (code: 'RATE_LIMITED' | 'SIGN_IN_FAILED', options: CodedErrorOptions): Error => {
        countRefusal(audit, { account, address }, { action: 'sign-in', code });
        return coded(code, options);
      };
      if (waitMs > 0)
        throw refused('RATE_LIMITED', { detail: 'too many tries; wait a little', retryAfterMs: waitMs });
      const isRight = await passwords.check(password, account?.passwordHash);
      if (!isRight || account === undefined || account.disabled)
        throw refused('SIGN_IN_FAILED', { detail: 'check the address and the password' });
      byAccount.succeed(key);
      byCustomer.takeBack(customer);
      return account;
    },
  };
}
