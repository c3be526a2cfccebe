// Stands in for tap's `async-hook-domain`, which watches every promise of a process to know in which test an error was thrown that
// nobody caught: that doubles the CPU of whatever is asynchronous. Tests of a file run one after the other, so it is the youngest's.

/** The tests under way, oldest first. */
const live: Domain[] = [];

/** A test, while it runs: an error that nobody catches fails it, and what it has started is still taken down. */
export class Domain {
  readonly onerror: (error: unknown, how: string) => void;

  constructor(onerror: (error: unknown, how: string) => void) {
    this.onerror = onerror;
    live.push(this);
  }

  destroy(): void {
    const at = live.indexOf(this);
    if (at >= 0) live.splice(at, 1);
  }
}

function catchFor(how: 'uncaughtException' | 'unhandledRejection'): void {
  process.on(how, (error: unknown) => {
    // Whoever else listens knows better.
    if (process.listenerCount(how) > 1) return;
    const youngest = live.at(-1);
    if (youngest === undefined) throw error;
    youngest.onerror(error, how);
  });
}

catchFor('uncaughtException');
catchFor('unhandledRejection');
