import { parsePrefix, type Prefix } from '../../../common/core/ip-address.ts';
import type { RouteKeys } from '../../../common/core/route-table.ts';
import { asPathLength } from './as-path.ts';
import type { RouteClassifier } from './route-classes.ts';

const ROUTE = 1007;
const ATTRIBUTE = 1012;
// A route to nowhere says where traffic must not go (RFC 7999).
const refusedKinds = new Set(['blackhole', 'prohibited']);
const medMax = 2 ** 32 - 1;

/** Takes a route that was read. */
export type OnRoute = (prefix: Prefix, keys: RouteKeys) => void;

/** What was passed over, for people. */
export interface PassedOver {
  /** Prefixes with host bits or that are none at all. */
  unreadable: number;
  /** Routes to nowhere. */
  discarding: number;
}

/**
 * Reads the lines of `show route all` one by one, without keeping any: a route's first line has its prefix and kind, the lines behind
 * it its attributes, of which AS path, MED and communities count. What other BGP speakers sent is numbers in fixed places by
 * the time that BIRD prints it, so nothing in it can pass for a line.
 */
export class BirdRouteReader {
  readonly passedOver: PassedOver = { unreadable: 0, discarding: 0 };
  readonly #classifier: RouteClassifier;
  readonly #onRoute: OnRoute;
  #prefix: Prefix | undefined;
  #asPathLength = 0;
  #med = 0;
  #communities: string[] = [];
  #inCommunities = false;

  constructor(options: { classifier: RouteClassifier; onRoute: OnRoute }) {
    this.#classifier = options.classifier;
    this.#onRoute = options.onRoute;
  }

  /** Takes a line of the reply. */
  line(code: number, text: string): void {
    if (code === ATTRIBUTE) this.#attribute(text);
    else if (code === ROUTE && text !== '' && !text.startsWith('\t')) this.#route(text);
  }

  /** Tells the last route; to be called behind the last line. */
  end(): void {
    if (this.#prefix === undefined) return;
    const classOrder = this.#classifier.classOrder(this.#communities);
    this.#onRoute(this.#prefix, { classOrder, asPathLength: this.#asPathLength, med: this.#med });
    this.#prefix = undefined;
  }

  #route(text: string): void {
    this.end();
    this.#asPathLength = 0;
    this.#med = 0;
    this.#communities = [];
    this.#inCommunities = false;
    // `Table master4:` stands before the routes of a table; a further route of the same prefix begins with spaces.
    if (text.startsWith(' ') || text.startsWith('Table ')) return;
    const end = text.indexOf(' ');
    const kind = /^ +([a-z]+) /.exec(text.slice(end))?.[1] ?? '';
    if (refusedKinds.has(kind)) {
      this.passedOver.discarding++;
      return;
    }
    this.#prefix = end < 0 ? undefined : parsePrefix(text.slice(0, end));
    if (this.#prefix === undefined) this.passedOver.unreadable++;
  }

  #attribute(text: string): void {
    // Long lists of communities go on in lines with two tabs.
    const goesOn = text.startsWith('\t\t');
    if (!goesOn) this.#inCommunities = false;
    if (this.#prefix === undefined) return;
    if (text.startsWith('\tBGP.as_path: ')) this.#asPathLength = asPathLength(text.slice(14));
    else if (text.startsWith('\tBGP.med: ')) this.#med = medOf(text.slice(10));
    else if (!this.#classifier.hasRules) return;
    else if (text.startsWith('\tBGP.community: ') || text.startsWith('\tBGP.large_community: ')) {
      this.#inCommunities = true;
      this.#addCommunities(text);
    } else if (goesOn && this.#inCommunities) this.#addCommunities(text);
  }

  #addCommunities(text: string): void {
    for (const [, list = ''] of text.matchAll(/\((\d+(?:, ?\d+){1,2})\)/g)) {
      this.#communities.push(list.replaceAll(/, ?/g, ':'));
    }
  }
}

function medOf(text: string): number {
  const med = Number(text.trim());
  return Number.isInteger(med) && med >= 0 && med <= medMax ? med : 0;
}
