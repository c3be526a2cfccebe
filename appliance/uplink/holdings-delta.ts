import type { Heartbeat } from '../../common/contract/nodes.ts';
import type { HoldingsChange } from '../store/file-store.ts';

/** What one heartbeat tells of the holdings. */
export interface HoldingsReport {
  readonly report: Heartbeat['holdings'];
  /** There is more than fits one heartbeat. */
  readonly hasMore: boolean;
  /** It has arrived. */
  acknowledge(): void;
}

/**
 * What the control plane does not know yet of the holdings. Everything is told in the first heartbeat and when asked for;
 * after that changes only, each until a heartbeat that tells it is acknowledged.
 */
export class HoldingsDelta {
  readonly #held: () => Iterable<string>;
  /** File → whether it was added or removed last; each change is its own object, so that a later one is not acknowledged. */
  readonly #changes = new Map<string, { added: boolean }>();
  #fullWanted = true;

  /** `held` lists what is held now; nothing for an origin, which holds everything. */
  constructor(held: () => Iterable<string>) {
    this.#held = held;
  }

  note(change: HoldingsChange): void {
    this.#changes.set(change.file, { added: change.kind === 'added' });
  }

  tellAll(): void {
    this.#fullWanted = true;
  }

  /** What to tell now: everything, or at most `countMax` changes. */
  take(countMax: number): HoldingsReport {
    const isFull = this.#fullWanted;
    const taken = isFull ? [...this.#changes] : this.#changes.entries().take(countMax).toArray();
    const acknowledge = (): void => {
      if (isFull) this.#fullWanted = false;
      for (const [file, change] of taken) if (this.#changes.get(file) === change) this.#changes.delete(file);
    };
    const names = (added: boolean): string[] =>
      taken.filter(([, change]) => change.added === added).map(([file]) => file);
    const report = isFull
      ? { full: true, added: [...this.#held()], removed: [] }
      : { full: false, added: names(true), removed: names(false) };
    return { report, hasMore: !isFull && this.#changes.size > taken.length, acknowledge };
  }
}
