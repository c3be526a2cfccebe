import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { AccessLog } from './access-log.ts';
import { formatAccessLine, type AccessRecord } from './access-record.ts';
import type { Pseudonyms } from './address-key.ts';
import { loadCmcdDecoder, type DecodeCmcd } from '../../common/runtime/cmcd-decoder.ts';
import { readCmcd, type CmcdFacts } from './cmcd.ts';

export interface RecorderOptions {
  /** Absent where no log is wanted: CMCD is counted all the same. */
  accessLog: Pick<AccessLog, 'append'> | undefined;
  /** Absent where no pseudonyms are wanted. */
  pseudonyms: Pseudonyms | undefined;
  /** Hears what a player told. */
  onCmcd: (facts: CmcdFacts) => void;
  /** Whether a CMCD content id names content of ours. */
  isOurs?: (id: string) => boolean;
  clock: Clock;
  log: Log;
  /** Loads what decodes CMCD, when it is first needed. */
  loadDecoder?: () => Promise<DecodeCmcd>;
}

/** A tenth of a core at 25 µs each: what comes above it in a second is logged without its CMCD. */
const cmcdPerSecondMax = 4000;

/** Brings the records of both engines into the access log, in one form, and what players tell into the metrics. */
export class Recorder {
  readonly #options: RecorderOptions;
  #decoder: DecodeCmcd | Promise<DecodeCmcd> | undefined;
  #second = 0;
  #cmcdThisSecond = 0;
  #cmcdSkipped = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Records whose CMCD was not read because too many came at once. */
  get cmcdSkipped(): number {
    return this.#cmcdSkipped;
  }

  /** A request to the TypeScript engine is over. */
  request(record: AccessRecord): void {
    const { accessLog, pseudonyms } = this.#options;
    const client = record.address === undefined ? undefined : pseudonyms?.of(record.address);
    const write = (cmcd: CmcdFacts | undefined): void => {
      accessLog?.append(Buffer.from(formatAccessLine(record, { client, cmcd })));
    };
    if (record.cmcd === undefined) write(undefined);
    else this.#withCmcd(record.cmcd, write);
  }

  /** Lines of the native engine. */
  lines(bytes: Buffer): void {
    this.#options.accessLog?.append(bytes);
  }

  /** A line of the native engine without its closing brace, and the CMCD that belongs to it. */
  withCmcd(line: string, cmcd: string): void {
    this.#withCmcd(cmcd, (facts) => {
      const end = facts === undefined ? '}\n' : `,"cmcd":${JSON.stringify(facts)}}\n`;
      this.#options.accessLog?.append(Buffer.from(line + end));
    });
  }

  /** Resolves when no record waits for the decoder. */
  async settled(): Promise<void> {
    await this.#decoder;
  }

  /** Reads CMCD, which only for the first ones takes until the decoder is loaded. */
  #withCmcd(raw: string, then: (facts: CmcdFacts | undefined) => void): void {
    const second = Math.floor(this.#options.clock.monotonicMs() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#cmcdThisSecond = 0;
    }
    if (++this.#cmcdThisSecond > cmcdPerSecondMax) {
      this.#cmcdSkipped++;
      then(undefined);
      return;
    }
    const read = (decode: DecodeCmcd): void => {
      const facts = readCmcd(raw, { decode, isOurs: this.#options.isOurs ?? (() => false) });
      if (facts !== undefined) this.#options.onCmcd(facts);
      then(facts);
    };
    if (typeof this.#decoder === 'function') {
      read(this.#decoder);
      return;
    }
    this.#decoder ??= this.#load();
    void this.#decoder.then(read);
  }

  async #load(): Promise<DecodeCmcd> {
    const { log, loadDecoder = loadCmcdDecoder } = this.#options;
    try {
      return (this.#decoder = await loadDecoder());
    } catch (error) {
      log.warn({ err: error }, 'CMCD cannot be read: records go without it; install the package again');
      return (this.#decoder = () => ({}));
    }
  }
}
