/**
 * Long work in small steps: it yields how much is done, 0 to 1, some times a second, so that whoever drives it can show that, do
 * other things in between, or stop.
 */
export type Work<T> = Generator<number, T, void>;

/** A part of larger work: what it yields is brought from 0–1 to the part's own place in the whole. */
export function* within<T>([from, to]: readonly [number, number], work: Work<T>): Work<T> {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    yield from + (to - from) * value;
  }
}

/** Does work to its end at once. */
export function finish<T>(work: Work<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}
