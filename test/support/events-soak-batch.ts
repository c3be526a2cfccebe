import type { PlayerEvent } from '../../common/contract/playback.ts';
import { begunBeforeMs } from './events-soak-billing.ts';
import { pick, seededRandom } from './seeded.ts';

/** How many events a batch of the soak has. */
export const batchLength = 100;
const dayMs = 86_400_000;
const titles = 200;
/** What a player tells of begins at one of so many moments, and goes on for a batch: of one session some are told twice, and out of order. */
const runs = 30;
const stepMs = 10_000;
/** So many events of a batch are a day late. */
const lateLength = batchLength / 10;

/** The sessions of the soak. */
export const soakSessions: readonly string[] = Array.from({ length: 5000 }, (_, at) =>
  at.toString(16).padStart(32, '0'),
);

/** Who sends a batch, what of, and from where. */
export interface SoakSender {
  readonly session: string;
  readonly bundle: string;
  readonly site: string;
}

/** Batch number `number` of a soak that began at `startMs`: always the same. */
export function soakBatch(number: number, startMs: number): { sender: SoakSender; events: PlayerEvent[] } {
  const random = seededRandom(number + 1);
  const at = pick(random, soakSessions.length);
  const runMs = startMs - begunBeforeMs + pick(random, runs) * batchLength * stepMs;
  const sender = {
    session: soakSessions[at] ?? '',
    bundle: (at % titles).toString(16).padStart(64, '0'),
    site: `isp-${at % 20}`,
  };
  const events = Array.from({ length: batchLength }, (_, index): PlayerEvent => {
    const kind = pick(random, 20);
    const base = {
      id: `batch-${number}-${index}`,
      timeMs: runMs + index * stepMs - (index < lateLength ? dayMs : 0),
      positionMs: index * stepMs,
      playedMs: stepMs + pick(random, 3000),
      pathway: `isp-${at % 20}-1`,
    };
    if (kind === 0) return { ...base, type: 'play', startMs: pick(random, 5000) };
    if (kind === 1) return { ...base, type: 'stall', stallMs: pick(random, 5000) };
    if (kind === 2) return { ...base, type: 'error' };
    return { ...base, type: 'progress', bitrateBps: 4_000_000 };
  });
  return { sender, events };
}
