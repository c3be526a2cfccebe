import { LRUCache } from 'lru-cache';

/** How often a device may ask whether its code was entered, in milliseconds (RFC 8628 §3.2: 5 s where nothing else is said). */
export const pollIntervalMs = 5000;
// A network is not a metronome.
const earlyMs = 500;
const codesMax = 10_000;

/** Tells devices that ask too often to slow down. RFC 8628 §3.5: each time by five seconds more, for good. */
export class DevicePolls {
  readonly #codes = new LRUCache<string, { atMs: number; intervalMs: number }>({ max: codesMax });

  /** Whether a device with this code may have an answer now. */
  take(code: string, nowMs: number): 'go on' | 'slow down' {
    const last = this.#codes.get(code);
    const tooSoon = last !== undefined && nowMs - last.atMs < last.intervalMs - earlyMs;
    const before = last?.intervalMs ?? pollIntervalMs;
    this.#codes.set(code, { atMs: nowMs, intervalMs: tooSoon ? before + pollIntervalMs : before });
    return tooSoon ? 'slow down' : 'go on';
  }
}
