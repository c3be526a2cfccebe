/** Work on one file is done in turn, on different files at the same time. Whoever calls bounds how much may wait. */
export class FileTurns {
  /** The last that was asked for of each file that has work under way. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Works when what was asked for before of the same file has ended, however it did. */
  run<T>(file: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(file) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#last.set(file, turn);
    const done = (): void => {
      if (this.#last.get(file) === turn) this.#last.delete(file);
    };
    void turn.then(done, done);
    return turn;
  }
}
