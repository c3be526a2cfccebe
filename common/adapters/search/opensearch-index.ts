import { coded } from '../../runtime/errors.ts';
import { failureOf, type OpenSearchCall, type OpenSearchClient } from './opensearch-client.ts';
import { searchFields } from './fts5-schema.ts';

/** Changes with the mapping, and with how words are made of texts: another version has another index. */
const SCHEMA_VERSION = 1;
/** How long a beginning may be to be found at once, and with typos. */
export const beginningCharactersMax = 15;
const valueCharactersMax = 1024;
/** An index of the version before stays for a way back. */
const versionsKept = 2;
const timeoutMs = 30_000;
const retriesMax = 2;

interface IndexMeta {
  readonly version?: number;
  readonly isWhole?: boolean;
}

/**
 * Where documents are: an index for each version of the schema, `NAME-v1`, written to by the alias `NAME-v1-write`, which no server makes
 * by itself, and the alias `NAME` on the newest that is whole, for as long as a newer one is being filled.
 */
export class VersionedIndex {
  readonly #client: OpenSearchClient;
  readonly #name: string;
  readonly own: string;
  readonly write: string;
  #made: Promise<void> | undefined;
  #isWhole = false;

  constructor(client: OpenSearchClient, name: string) {
    this.#client = client;
    this.#name = name;
    this.own = `${name}-v${SCHEMA_VERSION}`;
    this.write = `${this.own}-write`;
  }

  /** What is to be asked: this version's index when it is whole, until then that of the version before. */
  get read(): string {
    return this.#isWhole ? this.own : this.#name;
  }

  /** Makes the index where it is not there. */
  async make(): Promise<void> {
    this.#made ??= this.#makeOnce();
    try {
      await this.#made;
    } catch (error) {
      this.#made = undefined;
      throw error;
    }
  }

  /** Says that the index was found not to be there. */
  lost(): void {
    this.#made = undefined;
    this.#isWhole = false;
  }

  /** Whether the index is there and was settled; makes it where it is not there. */
  async look(): Promise<boolean> {
    const meta = await this.#meta();
    if (meta === undefined) this.lost();
    await this.make();
    this.#isWhole = meta?.isWhole === true;
    return this.#isWhole;
  }

  /** Marks the index as whole, lets the alias tell of it, and takes indices of versions that are long past away. */
  async settle(): Promise<void> {
    await this.make();
    const _meta: IndexMeta = { version: SCHEMA_VERSION, isWhole: true };
    await this.#call({ method: 'PUT', path: `/${this.own}/_mapping`, body: { _meta } });
    this.#isWhole = true;
    const held = await this.#readIndices();
    if (held.some(({ version }) => version >= SCHEMA_VERSION)) return;
    const actions = [
      { add: { index: this.own, alias: this.#name } },
      ...held.map(({ index }) => ({ remove: { index, alias: this.#name } })),
    ];
    await this.#call({ method: 'POST', path: '/_aliases', body: { actions } });
    const past = (await this.#versions()).filter(({ version }) => version <= SCHEMA_VERSION - versionsKept);
    for (const { index } of past) await this.#call({ method: 'DELETE', path: `/${index}`, answers: [404] });
  }

  async #makeOnce(): Promise<void> {
    if ((await this.#meta()) !== undefined) return;
    const isFirst = (await this.#readIndices()).length === 0;
    const aliases = { [this.write]: { is_write_index: true }, ...(isFirst && { [this.#name]: {} }) };
    const body = { ...schema, aliases };
    const made = await this.#call({ method: 'PUT', path: `/${this.own}`, body, answers: [400] });
    const { type, reason = '' } = failureOf(made);
    // Another process was first.
    if (type === undefined || type === 'resource_already_exists_exception') return;
    throw coded('STORE_UNAVAILABLE', `the search server makes no index ${this.own} (${type}: ${reason})`);
  }

  /** What the index says of itself; undefined where it is not there. */
  async #meta(): Promise<IndexMeta | undefined> {
    const answer = await this.#call({ method: 'GET', path: `/${this.write}/_mapping`, answers: [404] });
    const mappings = (answer as Record<string, { mappings?: { _meta?: IndexMeta } }>)[this.own]?.mappings;
    return mappings?._meta;
  }

  async #readIndices(): Promise<Version[]> {
    const path = `/_alias/${this.#name}`;
    return this.#versionsIn(await this.#call({ method: 'GET', path, answers: [404] }));
  }

  async #versions(): Promise<Version[]> {
    const path = `/${this.#name}-v*/_alias`;
    return this.#versionsIn(await this.#call({ method: 'GET', path, answers: [404] }));
  }

  #versionsIn(answer: unknown): Version[] {
    return Object.keys(answer as object).flatMap((index) => {
      const version = index.startsWith(`${this.#name}-v`) ? Number(index.slice(this.#name.length + 2)) : NaN;
      return Number.isInteger(version) ? [{ index, version }] : [];
    });
  }

  async #call(call: Pick<OpenSearchCall, 'method' | 'path' | 'body' | 'answers'>): Promise<unknown> {
    return (await this.#client.call({ ...call, timeoutMs, retriesMax })).value;
  }
}

interface Version {
  readonly index: string;
  readonly version: number;
}

const keyword = { type: 'keyword', ignore_above: valueCharactersMax } as const;
/** Words come folded, between spaces; only which there are and how often is asked, and how they begin. */
const words = {
  ...{ type: 'text', analyzer: 'whitespace', index_options: 'freqs' },
  index_prefixes: { min_chars: 1, max_chars: beginningCharactersMax },
} as const;

const schema = {
  // Shards and replicas are the operator's to say, by an index template.
  mappings: {
    _meta: { version: SCHEMA_VERSION, isWhole: false } satisfies IndexMeta,
    dynamic: false,
    // What was put stands in `body`; all else is made of it.
    _source: { includes: ['body', 'digest'] },
    dynamic_templates: [{ facets: { path_match: 'facets.*', mapping: keyword } }],
    properties: {
      ...Object.fromEntries(searchFields.map((field) => [field, words])),
      /** Those of all fields but the description. */
      names: words,
      id: keyword,
      /** The words of the title, to know the one that was typed whole. */
      whole: keyword,
      weight: { type: 'double' },
      facets: { type: 'object', dynamic: true },
      body: { type: 'keyword', index: false, doc_values: false },
      digest: { type: 'keyword', index: false, doc_values: false },
    },
  },
};
