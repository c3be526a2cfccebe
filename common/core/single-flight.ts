/** Lets concurrent callers of the same key share one run; bounded by the number of different keys in flight. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  /** How many runs are in flight. */
  get size(): number {
    return this.#flights.size;
  }

  /** The result of the run in flight for `key`, or of a new one. A failure is shared too, and not kept. */
  run(key: string, start: () => Promise<T>): Promise<T> {
    const running = this.#flights.get(key);
    if (running !== undefined) return running;
    const flight = start().finally(() => {
      this.#flights.delete(key);
    });
    this.#flights.set(key, flight);
    return flight;
  }
}
