import { RateTable, type Rate, type RateDecision } from '../../../common/core/rate-table.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { customerOf } from './core/client-network.ts';
import type { LinkPurpose } from './letter-links.ts';

/** How many letters may be asked for. Networks and accounts have a table each: no flood from many networks makes an account's count forgotten. */
export interface LetterRates {
  /** What one network may ask for, whomever it names: a carrier's address is shared by thousands. */
  ofNetwork(address: string): RateDecision;
  /** What one account is sent of a kind, whoever asks. Its owner has those links, so nobody is locked out by it. */
  ofAccount(accountId: string, purpose: LinkPurpose): RateDecision;
}

const hourS = 3600;
const networkRate: Rate = { burst: 20, perSecond: 60 / hourS };
const accountRate: Rate = { burst: 3, perSecond: 3 / hourS };
const keysMax = 20_000;

/** Makes the rates, by the monotonic clock. */
export function createLetterRates(clock: Pick<Clock, 'monotonicMs'>): LetterRates {
  const networks = new RateTable({ keysMax });
  const letters = new RateTable({ keysMax });
  return {
    ofNetwork: (address) => networks.take(customerOf(address), networkRate, clock.monotonicMs()),
    ofAccount: (accountId, purpose) =>
      letters.take(`${purpose} ${accountId}`, accountRate, clock.monotonicMs()),
  };
}
