import { randomBytes } from 'node:crypto';

/** Chance, as everything in Nearcast is given it; tests pass a seeded one. */
export interface Chance {
  /** Random bytes, fit for secrets when they come from the system's chance. */
  bytes(length: number): Buffer;
  /** A number in [0, 1), for jitter and samples. */
  fraction(): number;
}

/** The machine's cryptographic chance. */
export function createSystemChance(): Chance {
  return { bytes: (length) => randomBytes(length), fraction: () => Math.random() };
}

/** Chance that repeats itself for a seed (mulberry32); never for secrets. */
export function createSeededChance(seed: number): Chance {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    fraction,
    bytes: (length) => Buffer.from(Array.from({ length }, () => Math.floor(fraction() * 256))),
  };
}
