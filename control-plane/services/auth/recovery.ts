import { Email } from '../../../common/contract/accounts.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { matches } from '../../../common/runtime/parse.ts';
import type { Accounts } from './accounts.ts';
import { auditedRun, countRefusal } from './audited.ts';
import { changedBy, createLetterLinks, type LetterLinks, type LinkPurpose } from './letter-links.ts';
import { createLetterRates, type LetterRates } from './letter-rates.ts';
import { changedLetter, confirmLetter, resetLetter, type LeftWays, type Said } from './letters.ts';
import type { OidcStore } from './oidc/adapter.ts';
import type { DueLetter, Outbox } from './outbox.ts';
import type { AuthAudit } from './ports.ts';
import type { AccountRecord } from './records.ts';
import type { Sessions } from './sessions.ts';

/** A link that somebody has followed. */
interface Followed {
  readonly secret: string;
  readonly address: string;
}

/** What a person can do by a link in a letter to the account's address. */
export interface Recovery {
  /** Sends a link for a new password if there is such an account, which nobody is told. RATE_LIMITED, by network. */
  askReset(email: string, address: string): void;
  /**
   * Sets a new password and ends all sessions. LINK_INVALID; PASSWORD_WEAK and OVERLOADED, after which the link is still good.
   * @returns what still lets in without the password; undefined where that cannot be read.
   */
  reset(followed: Followed & { readonly password: string }): Promise<LeftWays | undefined>;
  /** Sends a link that confirms the address, unless it is confirmed. `address` is whose wish it is; none for the control plane's own. */
  askConfirmation(accountId: string, address?: string): void;
  /** LINK_INVALID. */
  confirm(followed: Followed): Promise<void>;
  /** Whether a link is good. */
  isGood(purpose: LinkPurpose, secret: string): Promise<boolean>;
}

export interface RecoveryOptions {
  accounts: Accounts;
  sessions: Sessions;
  store: OidcStore;
  outbox: Outbox;
  /** What lets people in without their password. */
  leftWays: (accountId: string) => Promise<LeftWays>;
  audit: AuthAudit;
  publicUrl: () => string;
  clock: Clock;
  chance: Chance;
  log: Log;
}

const dayMs = 86_400_000;
const letterOf = { confirm: confirmLetter, reset: resetLetter };

/** Makes what writes letters. */
function createWriter(
  { audit, publicUrl, chance }: Pick<RecoveryOptions, 'audit' | 'publicUrl' | 'chance'>,
  links: LetterLinks,
  rates: LetterRates,
) {
  const due = ({ id, name, email }: AccountRecord, said: Said, endsAtMs: number): DueLetter => ({
    letter: {
      ...{ id: `let_${chance.bytes(12).toString('base64url')}`, accountId: id },
      ...{ to: { name, address: email }, ...said },
    },
    endsAtMs,
  });
  const write = async (
    purpose: LinkPurpose,
    account: AccountRecord | undefined,
    address: string | undefined,
  ): Promise<DueLetter | undefined> => {
    const mayHave = account?.disabled === false && rates.ofAccount(account.id, purpose).isAllowed;
    const whose = mayHave ? account : undefined;
    const work = async (): Promise<DueLetter | undefined> => {
      const { secret, endsAtMs } = await links.make(purpose, whose);
      const link = `${publicUrl()}/account/${purpose}?token=${secret}`;
      return whose && due(whose, letterOf[purpose](whose, { site: publicUrl(), link }), endsAtMs);
    };
    // What the control plane does by itself follows from an act that is written already.
    if (address === undefined) return work();
    return auditedRun(audit, { account: whose, address }, { act: { action: `${purpose} letter` }, work });
  };
  return { due, write };
}

/** Opens what is done by links in letters. */
export function createRecovery(options: RecoveryOptions): Recovery {
  const { accounts, sessions, outbox, audit, publicUrl, clock } = options;
  const leftWays = createLeftWays(options);
  const links = createLetterLinks(options);
  const rates = createLetterRates(clock);
  const { due, write } = createWriter(options, links, rates);
  /** Does what a link is for, between two entries of the audit log. */
  const follow = async (
    purpose: LinkPurpose,
    { secret, address }: Followed,
    work: (account: AccountRecord) => Promise<void>,
  ): Promise<AccountRecord> => {
    const account = await links.find(purpose, secret);
    const action = `${purpose} by letter`;
    if (account === undefined) {
      countRefusal(audit, { account, address }, { action, code: 'LINK_INVALID' });
      throw coded('LINK_INVALID', 'ask for another letter');
    }
    await auditedRun(audit, { account, address }, { act: { action }, work: () => work(account) });
    return account;
  };
  /** Puts that the address is confirmed, unless the link was used meanwhile. */
  const confirmed = (account: AccountRecord, check: (held: AccountRecord) => void) =>
    accounts.update(account.id, (held) => {
      check(held);
      return { ...held, emailConfirmedAtMs: held.emailConfirmedAtMs ?? clock.nowMs() };
    });
  const tellOfChange = (account: AccountRecord): void => {
    const untilMs = clock.nowMs() + dayMs;
    outbox.post(async () => {
      const left = await leftWays(account.id);
      return due(account, changedLetter(account, { site: publicUrl(), left }), untilMs);
    });
  };

  return {
    isGood: async (purpose, secret) => (await links.find(purpose, secret)) !== undefined,
    askReset(email, address) {
      const { isAllowed, retryAfterMs } = rates.ofNetwork(address);
      if (!isAllowed)
        throw coded('RATE_LIMITED', { detail: 'too many letters; wait a little', retryAfterMs });
      outbox.post(async () => {
        const account = matches(Email, email) ? await accounts.findByEmail(email) : undefined;
        return write('reset', account, address);
      });
    },
    async reset({ password, ...followed }) {
      const account = await follow('reset', followed, async (found) => {
        await accounts.change(found.id, { password }, unused('reset', found));
        // Before the rest, which may fail: whoever reads the letters is to hear of it.
        tellOfChange(found);
        await sessions.endAll(found.id);
        await confirmed(found, () => undefined);
      });
      return leftWays(account.id);
    },
    askConfirmation(accountId, address) {
      outbox.post(async () => {
        const account = await accounts.find(accountId);
        return account?.emailConfirmedAtMs === undefined ? write('confirm', account, address) : undefined;
      });
    },
    async confirm(followed) {
      await follow('confirm', followed, (found) => confirmed(found, unused('confirm', found)));
    },
  };
}

/** Reads what still lets in after a new password, which is in force already, whether or not this can be read. */
function createLeftWays({ leftWays, log }: Pick<RecoveryOptions, 'leftWays' | 'log'>) {
  return async (accountId: string): Promise<LeftWays | undefined> => {
    try {
      return await leftWays(accountId);
    } catch (error) {
      log.error({ err: error, accountId }, 'what still lets in after a new password could not be read');
      return undefined;
    }
  };
}

/** Refuses an account that is not as a link found it: another link of its kind was used meanwhile. */
function unused(purpose: LinkPurpose, found: AccountRecord): (held: AccountRecord) => void {
  return (held) => {
    if (changedBy(purpose, held) !== changedBy(purpose, found))
      throw coded('LINK_INVALID', 'ask for another letter');
  };
}
