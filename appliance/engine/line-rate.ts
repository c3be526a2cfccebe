import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';

/** What a line carries now, and what it can. */
export interface LineReading {
  /** Frames sent, as the interfaces count them; grows. */
  readonly sentBytes: number;
  readonly bytesPerSecond: number;
}

export interface LineRateOptions {
  /** The address that is listened on; decides the interface where it is one of this machine. */
  host: string;
  /** What the operator says of the line; found out if absent. */
  mbitPerSecond: number | undefined;
  /** Where /proc and /sys are; for tests. */
  root?: string;
  /** For tests: names of interfaces by their addresses. */
  addresses?: () => ReadonlyMap<string, string>;
}

interface Line {
  readonly interfaces: readonly string[];
  readonly bytesPerSecond: number;
}

// A bond may lose a member, a link may come up slower.
const lookAgainReadings = 240;

/**
 * How fast the line is and how full: by the interfaces that carry the listening address, or else the default route.
 * All that the machine sends counts, whoever sends it: it is the line that is full. Without a speed (virtual machines,
 * some bonds) and without a word of the operator, nothing is said.
 */
export class LineRate {
  readonly #options: LineRateOptions;
  #line: Line | undefined;
  #readings = 0;

  constructor(options: LineRateOptions) {
    this.#options = options;
  }

  /** Undefined where the line, or what it carries, is not known. */
  async read(): Promise<LineReading | undefined> {
    if (this.#readings++ % lookAgainReadings === 0) this.#line = await this.#find();
    if (this.#line === undefined) return undefined;
    const sent = await Promise.all(
      this.#line.interfaces.map((name) => this.#number(`sys/class/net/${name}/statistics/tx_bytes`)),
    );
    const known = sent.filter((bytes) => bytes !== undefined);
    if (known.length < sent.length) return undefined;
    return {
      sentBytes: known.reduce((all, bytes) => all + bytes, 0),
      bytesPerSecond: this.#line.bytesPerSecond,
    };
  }

  async #find(): Promise<Line | undefined> {
    const interfaces = await this.#interfaces();
    if (interfaces.length === 0) return undefined;
    const { mbitPerSecond } = this.#options;
    if (mbitPerSecond !== undefined) return { interfaces, bytesPerSecond: mbitPerSecond * 125_000 };
    let bytesPerSecond = 0;
    for (const name of interfaces) {
      const mbit = await this.#number(`sys/class/net/${name}/speed`);
      if (mbit === undefined || mbit <= 0) return undefined;
      bytesPerSecond += mbit * 125_000;
    }
    return { interfaces, bytesPerSecond };
  }

  async #interfaces(): Promise<readonly string[]> {
    const { host, addresses = interfacesByAddress } = this.#options;
    const own = addresses().get(host);
    if (own !== undefined) return own === 'lo' ? [] : [own];
    const names = [
      ...defaultRoutes4(await this.#text('proc/net/route')),
      ...defaultRoutes6(await this.#text('proc/net/ipv6_route')),
    ];
    return [...new Set(names)].filter((name) => name !== 'lo');
  }

  async #number(path: string): Promise<number | undefined> {
    const text = (await this.#text(path)).trim();
    return /^-?\d+$/.test(text) ? Number(text) : undefined;
  }

  /** What cannot be read is not known: an interface without a link has a speed that is an error to ask for. */
  async #text(path: string): Promise<string> {
    try {
      return await readFile(join(this.#options.root ?? '/', path), 'utf8');
    } catch {
      return '';
    }
  }
}

function interfacesByAddress(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(networkInterfaces()).flatMap(([name, all = []]) =>
      all.map(({ address }) => [address, name]),
    ),
  );
}

/** Interfaces of default routes in /proc/net/route: destination and mask are zero. */
function defaultRoutes4(table: string): string[] {
  return rowsOf(table)
    .filter(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')
    .map(([name = '']) => name);
}

/** In /proc/net/ipv6_route the prefix comes first and the interface last. */
function defaultRoutes6(table: string): string[] {
  return rowsOf(table)
    .filter(([prefix, length]) => length === '00' && /^0{32}$/.test(prefix ?? ''))
    .map((row) => row.at(-1) ?? 'lo');
}

function rowsOf(table: string): string[][] {
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((row) => row.length > 1);
}
