/** So much of the past counts as lately. */
const windowMs = 60_000;
/** How finely time is told apart. */
const stepMs = 1000;

/** How many requests failed lately, by a count that grows. */
export class FailureWindow {
  /** The count at the begin of each second that is looked back on, oldest first. */
  readonly #marks: { readonly atMs: number; readonly count: number }[] = [];

  /** Takes the count of now; what workers that are gone had counted may be missing from it. */
  lately(count: number, nowMs: number): number {
    const last = this.#marks.at(-1);
    if (last === undefined || count < last.count) this.#marks.length = 0;
    if (this.#marks.length === 0 || nowMs - (last?.atMs ?? 0) >= stepMs)
      this.#marks.push({ atMs: nowMs, count });
    // The last one before the window says what the count was at its begin.
    while (nowMs - (this.#marks[1]?.atMs ?? nowMs) > windowMs) this.#marks.shift();
    return count - (this.#marks[0]?.count ?? count);
  }
}
