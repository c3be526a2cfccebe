/** Asks again, every 10 ms for 10 s, until the answer is so. */
export async function until<T>(ask: () => T | Promise<T>, isSo: (value: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 1000; tries++) {
    const value = await ask();
    if (isSo(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it never came to be');
}
