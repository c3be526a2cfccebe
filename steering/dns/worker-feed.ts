import type { SteeringView, ViewParts } from '../core/view.ts';
import type { HealthState, ToWorker } from './worker-messages.ts';

/** Keeps a thread that answers UDP at the state of the main one, where maps are verified and nodes are probed. */
export class WorkerFeed {
  readonly #readHealth: () => HealthState;
  #parts: ViewParts | undefined;
  #places: SharedArrayBuffer | undefined;
  #send: ((message: ToWorker) => void) | undefined;
  #isTelling = false;

  constructor(readHealth: () => HealthState) {
    this.#readHealth = readHealth;
  }

  /** Sends all that is known, and from now on all that changes. */
  begin(send: (message: ToWorker) => void): void {
    this.#send = send;
    if (this.#places !== undefined) send({ kind: 'places', bytes: this.#places });
    if (this.#parts !== undefined) send({ kind: 'map', parts: this.#parts });
    send({ kind: 'health', state: this.#readHealth() });
  }

  end(): void {
    this.#send = undefined;
  }

  mapChanged({
    indexOf: _index,
    revokedSessions: _sessions,
    revokedBundles: _bundles,
    ...parts
  }: SteeringView): void {
    this.#parts = parts;
    this.#send?.({ kind: 'map', parts });
    this.healthChanged();
  }

  placesChanged(bytes: SharedArrayBuffer): void {
    this.#places = bytes;
    this.#send?.({ kind: 'places', bytes });
  }

  /** Changes of one turn of the event loop go together: a site that dies is told once. */
  healthChanged(): void {
    if (this.#isTelling || this.#send === undefined) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      this.#send?.({ kind: 'health', state: this.#readHealth() });
    });
  }
}
