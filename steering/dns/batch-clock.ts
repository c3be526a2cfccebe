import type { Clock } from '../../common/runtime/clock.ts';

type TimeOfDay = Pick<Clock, 'nowMs' | 'monotonicMs'>;

/** A clock that stands still while a batch is answered: to read the machine's for each of its queries would cost more than to rank. */
export class BatchClock implements TimeOfDay {
  readonly #clock: TimeOfDay;
  #nowMs: number;
  #monotonicMs: number;

  constructor(clock: TimeOfDay) {
    this.#clock = clock;
    this.#nowMs = clock.nowMs();
    this.#monotonicMs = clock.monotonicMs();
  }

  /** Shows the present. */
  read(): void {
    this.#nowMs = this.#clock.nowMs();
    this.#monotonicMs = this.#clock.monotonicMs();
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }
}
