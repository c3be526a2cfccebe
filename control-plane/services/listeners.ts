/** Those who want to hear of a change; each is called in turn, in the order of subscription. */
export interface Listeners<T> {
  /** Subscribes; the answer ends the subscription. */
  add(listener: (value: T) => void): () => void;
  tell(value: T): void;
}

/** Makes a list of listeners. Listeners are wired at start and must not throw. */
export function createListeners<T>(): Listeners<T> {
  const listeners = new Set<(value: T) => void>();
  return {
    add(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    tell(value) {
      for (const listener of listeners) listener(value);
    },
  };
}
