import { Type, type Static } from '../../common/contract/type.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import { readPrivateFile, writePrivateFile } from '../../common/runtime/private-file.ts';
import { calm, penaltyAt, penaltyMax, settle, type FlapPolicy, type FlapState } from '../core/flap.ts';
import type { Aim } from './http-probe.ts';

export interface FlapBookOptions {
  readonly path: string;
  readonly policy: FlapPolicy;
  readonly clock: Clock;
  readonly log: Log;
}

/** What of flapping is forgotten: it holds nobody down, nor will it with one loss more. */
const NEGLIGIBLE = 10;
const WAYS_MAX = 20_000;

const StoredFlaps = Type.Object({
  /** When the penalties were so, by the clock on the wall. */
  atMs: Type.Number(),
  ways: Type.Array(
    Type.Object({
      way: Type.String({ maxLength: 4096 }),
      penalty: Type.Number({ minimum: 0 }),
      suppressed: Type.Boolean(),
    }),
    { maxItems: WAYS_MAX },
  ),
});
type StoredFlaps = Static<typeof StoredFlaps>;

/**
 * Remembers how boxes have flapped, in a file too: a box that was held down before steering was restarted is held down after it. It is
 * written whenever a penalty grows; what a crash costs of it is one loss.
 */
export class FlapBook {
  readonly #options: FlapBookOptions;
  readonly #ways = new Map<string, FlapState>();
  #isStale = false;
  #writing: Promise<void> | undefined;

  constructor(options: FlapBookOptions) {
    this.#options = options;
  }

  /** Reads what an earlier process has left. A file that cannot be read is logged, and nothing is remembered. */
  async load(): Promise<void> {
    const { path, policy, clock, log } = this.#options;
    let stored: StoredFlaps | undefined;
    try {
      const text = await readPrivateFile(path);
      if (text !== undefined) stored = parseJsonAs(StoredFlaps, text, { what: 'the penalties for flapping' });
    } catch (error) {
      log.warn({ path, err: error }, 'how boxes have flapped before is not known');
    }
    if (stored === undefined) return;
    // A clock that was set back makes nothing older than it was.
    const atMs = clock.monotonicMs() - Math.max(0, clock.nowMs() - stored.atMs);
    for (const { way, penalty, suppressed } of stored.ways)
      this.#ways.set(way, { penalty: Math.min(penalty, penaltyMax(policy)), atMs, suppressed });
  }

  /** How a box has flapped over a way to it. */
  recall(aim: Aim): FlapState {
    const { clock, policy } = this.#options;
    return settle(this.#ways.get(nameOf(aim)) ?? calm, clock.monotonicMs(), policy);
  }

  /** Notes how it flaps now. */
  note(aim: Aim, state: FlapState): void {
    this.#ways.set(nameOf(aim), state);
    this.#isStale = true;
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  /** Resolves when all that was noted is written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { path, log } = this.#options;
    while (this.#isStale) {
      this.#isStale = false;
      try {
        await writePrivateFile(path, JSON.stringify(this.#stored()));
      } catch (error) {
        log.error({ path, code: toCoded(error).code, err: error }, 'how boxes flap cannot be stored');
      }
    }
  }

  #stored(): StoredFlaps {
    const { clock, policy } = this.#options;
    const monotonicMs = clock.monotonicMs();
    const ways: StoredFlaps['ways'] = [];
    for (const [way, state] of this.#ways) {
      const penalty = penaltyAt(state, monotonicMs, policy);
      if (penalty < NEGLIGIBLE) this.#ways.delete(way);
      else if (ways.length < WAYS_MAX) ways.push({ way, penalty, suppressed: state.suppressed });
    }
    return { atMs: clock.nowMs(), ways };
  }
}

/** A box that has moved is another one, of which nothing is known. */
function nameOf({ id, url, family, address }: Aim): string {
  return `${id} ${family} ${address ?? ''} ${url}`;
}
