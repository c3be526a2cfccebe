import { SourceConnection, type Exchange } from './source-connection.ts';

/** Connections to sources that are kept alive between exchanges: as many as there are exchanges at a time. */
export class SourceConnections {
  readonly #stallMs: number;
  readonly #all = new Set<SourceConnection>();
  /** By origin, the one used last at the end. */
  readonly #idle = new Map<string, SourceConnection[]>();

  /** @param options `stallMs`: a source that sends nothing for so long has stalled; so long an idle connection is kept too. */
  constructor(options: { stallMs: number }) {
    this.#stallMs = options.stallMs;
  }

  /** Asks a source for something by GET. */
  ask(url: URL, headers: Readonly<Record<string, string>>, exchange: Exchange): void {
    const request = { path: url.pathname, headers };
    const idle = this.#idle.get(url.origin)?.pop();
    if (idle === undefined) this.#open(url).ask(request, exchange);
    else idle.ask(request, exchange, () => this.#open(url).ask(request, exchange));
  }

  /** Ends all connections; what is under way fails. */
  close(): void {
    for (const connection of this.#all) connection.cut();
  }

  #open(url: URL): SourceConnection {
    const connection = new SourceConnection({
      origin: url,
      stallMs: this.#stallMs,
      onIdle: () => {
        const idle = this.#idle.get(url.origin);
        if (idle === undefined) this.#idle.set(url.origin, [connection]);
        else idle.push(connection);
      },
      onClose: () => {
        this.#all.delete(connection);
        const idle = this.#idle.get(url.origin)?.filter((other) => other !== connection) ?? [];
        if (idle.length === 0) this.#idle.delete(url.origin);
        else this.#idle.set(url.origin, idle);
      },
    });
    this.#all.add(connection);
    return connection;
  }
}
