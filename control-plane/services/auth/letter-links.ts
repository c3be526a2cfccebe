import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { hashSecret } from '../../../common/runtime/keys.ts';
import type { Accounts } from './accounts.ts';
import type { OidcStore } from './oidc/adapter.ts';
import type { AccountRecord } from './records.ts';

/** What a link in a letter is for. */
export type LinkPurpose = 'confirm' | 'reset';

/** A link's secret, and until when it is good. */
export interface MadeLink {
  readonly secret: string;
  readonly endsAtMs: number;
}

/** Secrets that are sent by letter; what is kept is their hash. */
export interface LetterLinks {
  /** Makes one for an account; for nobody too, so that it takes as long. */
  make(purpose: LinkPurpose, account: AccountRecord | undefined): Promise<MadeLink>;
  /** Whose link it is; undefined for what was never made, has ended or was used. */
  find(purpose: LinkPurpose, secret: string): Promise<AccountRecord | undefined>;
}

/** 144 bits. */
const secretBytes = 18;
const lifeS: Readonly<Record<LinkPurpose, number>> = { confirm: 86_400, reset: 1800 };
const nobody = 'usr_nobody00';

/**
 * Opens the links. They are kept as OAuth's things are: they end by themselves, go with the account, and do not come back with a backup.
 * Each names what it is to change, so that it is good once, and none that was made before is good after it.
 */
export function createLetterLinks(options: {
  accounts: Accounts;
  store: OidcStore;
  clock: Clock;
  chance: Chance;
}): LetterLinks {
  const { accounts, clock, chance } = options;
  const links = options.store.adapter('LetterLink');
  return {
    async make(purpose, account) {
      const secret = chance.bytes(secretBytes).toString('base64url');
      const endsAtMs = clock.nowMs() + lifeS[purpose] * 1000;
      const changes = account === undefined ? hashSecret(secret) : changedBy(purpose, account);
      await links.upsert(secret, { purpose, accountId: account?.id ?? nobody, changes }, lifeS[purpose]);
      return { secret, endsAtMs };
    },
    async find(purpose, secret) {
      const link = /^[\w-]{24}$/.test(secret) ? await links.find(secret) : undefined;
      if (link?.['purpose'] !== purpose) return undefined;
      const account = await accounts.find(link.accountId ?? nobody);
      const isGood = account?.disabled === false && link['changes'] === changedBy(purpose, account);
      return isGood ? account : undefined;
    },
  };
}

/** Something that is another once a link of this kind was used. */
export function changedBy(
  purpose: LinkPurpose,
  { email, emailConfirmedAtMs = 0, passwordHash = '' }: AccountRecord,
): string {
  return hashSecret(purpose === 'reset' ? passwordHash : `${email} ${String(emailConfirmedAtMs)}`);
}
