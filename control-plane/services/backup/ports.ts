/** What can be copied while it is used. */
export interface Snapshots {
  /** Copies the records of all services into a directory, all as of one moment, which it gives. */
  snapshot(options: {
    directory: string;
    onProgress: (fraction: number) => void;
    signal: AbortSignal;
  }): Promise<number>;
}
