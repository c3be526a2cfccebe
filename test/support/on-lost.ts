/** A disk that loses what was written ends the test. */
export function onLost(error: Error): never {
  throw error;
}
