const HEAD = 1002;
const DETAIL = 1006;

/** A protocol of BIRD, which for BGP is a session. */
export interface BirdProtocol {
  readonly name: string;
  /** `BGP`, `Static` and so on. */
  readonly kind: string;
  readonly isUp: boolean;
  /** What BIRD says of it: `Established`, or why it is not. */
  readonly info: string;
  /** Changes when its routes may have: how many there are, and how often some were announced or withdrawn. */
  readonly counters: string;
}

/** Reads the lines of `show protocols all`, one by one. */
export class BirdProtocolReader {
  readonly #found: { -readonly [Key in keyof BirdProtocol]: BirdProtocol[Key] }[] = [];

  /** Takes a line of the reply. */
  line(code: number, text: string): void {
    if (code === HEAD) this.#head(text);
    else if (code === DETAIL) this.#detail(text.trim());
  }

  /** What was read. */
  get protocols(): readonly BirdProtocol[] {
    return this.#found;
  }

  // Name, kind, table, state, since when (one word or two, as `timeformat protocol` says), info.
  #head(text: string): void {
    const match = /^([\w.:-]+) +(\w+) +(\S+) +(up|down|start|stop|flush) +(.*)$/.exec(text);
    if (match === null) return;
    const [, name = '', kind = '', , state = '', rest = ''] = match;
    const info = rest.replace(/^[\d.:-]+( [\d.:]+)?/, '').trim();
    this.#found.push({ name, kind, isUp: state === 'up', info, counters: '' });
  }

  #detail(text: string): void {
    const protocol = this.#found.at(-1);
    if (protocol === undefined || !/^(Routes|Import (updates|withdraws)):/.test(text)) return;
    protocol.counters += `${text};`;
  }
}
