import type { NodeHealth } from '../core/health.ts';
import { isAnsweredAlike } from '../core/node-health.ts';
import type { SteeringView, ViewParts } from '../core/view.ts';
import type { HealthChanges, HealthState, ToWorker } from './worker-messages.ts';

/** So many appliances are told in a turn of the event loop: a fraction of a millisecond, in which nobody is answered. */
const PIECE = 64;

/** Keeps a thread that answers UDP at the state of the main one, where maps are verified and nodes are probed. */
export class WorkerFeed {
  readonly #readHealth: () => HealthState;
  #parts: ViewParts | undefined;
  #places: SharedArrayBuffer | undefined;
  #send: ((message: ToWorker) => void) | undefined;
  /** The map that is being told, piece by piece; what is believed of its boxes is told behind it. */
  #telling: ViewParts | undefined;
  #isHealthDue = false;
  readonly #told = new Map<string, NodeHealth>();

  constructor(readHealth: () => HealthState) {
    this.#readHealth = readHealth;
  }

  /** Sends all that is known, and from now on all that changes. */
  begin(send: (message: ToWorker) => void): void {
    this.#send = send;
    this.#told.clear();
    if (this.#places !== undefined) send({ kind: 'places', bytes: this.#places });
    if (this.#parts === undefined) this.#tellHealth();
    else this.#tellMap(this.#parts);
  }

  end(): void {
    this.#send = undefined;
    this.#telling = undefined;
  }

  mapChanged({
    indexOf: _index,
    revokedSessions: _sessions,
    revokedBundles: _bundles,
    ...parts
  }: SteeringView): void {
    this.#parts = parts;
    if (this.#send !== undefined) this.#tellMap(parts);
  }

  placesChanged(bytes: SharedArrayBuffer): void {
    this.#places = bytes;
    this.#send?.({ kind: 'places', bytes });
  }

  /** Changes of one turn of the event loop go together: a site that dies is told once. */
  healthChanged(): void {
    if (this.#isHealthDue || this.#send === undefined) return;
    this.#isHealthDue = true;
    setImmediate(() => {
      this.#isHealthDue = false;
      if (this.#telling === undefined) this.#tellHealth();
    });
  }

  #tellMap(parts: ViewParts): void {
    this.#telling = parts;
    const { appliances, ...rest } = parts;
    let from = 0;
    const next = (): void => {
      // A newer map is told from its first appliance on.
      if (this.#telling !== parts) return;
      if (from < appliances.length) {
        this.#send?.({ kind: 'appliances', from, appliances: appliances.slice(from, from + PIECE) });
        from += PIECE;
        setImmediate(next);
        return;
      }
      this.#telling = undefined;
      this.#send?.({ kind: 'map', parts: rest });
      this.#tellHealth();
    };
    next();
  }

  #tellHealth(): void {
    const { health, ...rest } = this.#readHealth();
    this.#send?.({ kind: 'health', state: { ...rest, ...noteChanges(this.#told, health) } });
  }
}

/** What has changed since it was told, which is told now. Most of a thousand boxes are as they were, and each that is told is copied twice. */
function noteChanges(
  told: Map<string, NodeHealth>,
  now: HealthState['health'],
): Pick<HealthChanges, 'changed' | 'gone'> {
  const changed = [...now].filter(([id, health]) => {
    const before = told.get(id);
    return before === undefined || !isAnsweredAlike(before, health);
  });
  const gone = [...told.keys()].filter((id) => !now.has(id));
  for (const [id, health] of changed) told.set(id, health);
  for (const id of gone) told.delete(id);
  return { changed, gone };
}
