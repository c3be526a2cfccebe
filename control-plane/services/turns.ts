/** Runs work when all that was asked for before has ended, however it ended; resolves or rejects as the work does. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** Makes a queue of turns: what reads and then writes the same state, with waits in between, takes one. */
export function createTurns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}
