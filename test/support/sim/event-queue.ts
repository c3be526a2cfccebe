import type { Clock } from '../../../common/runtime/clock.ts';

interface Entry {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

/** Simulated time: what is due runs in the order of its time, and of its entry where times are equal. */
export class EventQueue {
  /** Events that have run. */
  steps = 0;
  #nowMs: number;
  #sequence = 0;
  readonly #heap: Entry[] = [];

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs `run` at that time, or at once after what runs now where the time is past. */
  at(atMs: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ atMs: Math.max(atMs, this.#nowMs), sequence: this.#sequence++, run });
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at]!, heap[parent]!)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Runs everything that is due up to that time. */
  runUntil(endMs: number): void {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#removeFirst();
      this.#nowMs = next.atMs;
      this.steps++;
      next.run();
    }
    this.#nowMs = endMs;
  }

  /** The same time, for what takes a clock; nothing sleeps here. */
  clock(): Clock {
    return {
      nowMs: () => this.#nowMs,
      monotonicMs: () => this.#nowMs,
      sleep: () => Promise.reject(new Error('nothing sleeps in simulated time')),
    };
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      const right = left + 1;
      let first = at;
      if (left < heap.length && isBefore(heap[left]!, heap[first]!)) first = left;
      if (right < heap.length && isBefore(heap[right]!, heap[first]!)) first = right;
      if (first === at) return;
      this.#swap(at, first);
      at = first;
    }
  }

  #swap(one: number, other: number): void {
    const entry = this.#heap[one]!;
    this.#heap[one] = this.#heap[other]!;
    this.#heap[other] = entry;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}
