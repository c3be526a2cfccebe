import { abortError } from './store-error.ts';

/**
 * The items of a source, ended by the signal even while the source hangs. A source that is not read to its end is told
 * so (its `return`), so that a stream behind it lets go of its file or socket.
 */
export async function* interruptible<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  if (signal === undefined) {
    yield* source;
    return;
  }
  const iterator = source[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const result = await nextOrAborted(iterator, signal);
      if (result.done === true) {
        ended = true;
        return;
      }
      yield result.value;
    }
  } finally {
    if (!ended) letGo(iterator);
  }
}

/** Tells a source that nobody is going to read it. */
export function abandon(source: AsyncIterable<unknown>): void {
  letGo(source[Symbol.asyncIterator]());
}

function nextOrAborted<T>(iterator: AsyncIterator<T>, signal: AbortSignal): Promise<IteratorResult<T>> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(abortError(signal));
    };
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    iterator
      .next()
      .then(resolve, reject)
      .finally(() => {
        signal.removeEventListener('abort', onAbort);
      });
  });
}

// Not waited for: a source that hangs would hang its reader, and its error has nobody left to hear it.
function letGo(iterator: AsyncIterator<unknown>): void {
  const returned = iterator.return?.();
  returned?.catch(() => undefined);
}
