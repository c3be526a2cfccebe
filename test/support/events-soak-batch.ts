import type { PlayerEvent } from '../../common/contract/playback.ts';
import { pick, seededRandom } from './seeded.ts';

/** How many events a batch of the soak has. */
export const batchLength = 100;
const dayMs = 86_400_000;
const sessions = 5000;
const titles = 200;

/** Who sends a batch, what of, and from where. */
export interface SoakSender {
  readonly session: string;
  readonly bundle: string;
  readonly site: string;
}

/** Batch number `number`: always the same but for its time; some of its events are a day late. */
export function soakBatch(number: number, nowMs: number): { sender: SoakSender; events: PlayerEvent[] } {
  const random = seededRandom(number + 1);
  const at = pick(random, sessions);
  const sender = {
    session: at.toString(16).padStart(32, '0'),
    bundle: (at % titles).toString(16).padStart(64, '0'),
    site: `isp-${at % 20}`,
  };
  const events = Array.from({ length: batchLength }, (_, index): PlayerEvent => {
    const kind = pick(random, 20);
    const base = {
      id: `batch-${number}-${index}`,
      timeMs: nowMs - (pick(random, 10) === 0 ? dayMs : 0),
      positionMs: index * 10_000,
      pathway: `isp-${at % 20}-1`,
    };
    if (kind === 0) return { ...base, type: 'play', startMs: pick(random, 5000) };
    if (kind === 1) return { ...base, type: 'stall', stallMs: pick(random, 5000) };
    if (kind === 2) return { ...base, type: 'error' };
    return { ...base, type: 'progress', playedMs: pick(random, 10_000), bitrateBps: 4_000_000 };
  });
  return { sender, events };
}
