/** Fields of a document, from what says most of it to what says least. */
export type SearchField = 'title' | 'aliases' | 'people' | 'genres' | 'description';

/** What can be found. */
export interface SearchDocument {
  /** At most 128 characters. */
  readonly id: string;
  /** Texts of each field; of all of them together at most 4,000 words are found. */
  readonly texts: Readonly<Partial<Record<SearchField, readonly string[]>>>;
  /** What it can be filtered and counted by, as `{genre: ['drama'], region: ['de', 'at']}`; at most 200 values. */
  readonly facets: Readonly<Record<string, readonly string[]>>;
  /** Above 0 lifts it among what fits as well; grows by its logarithm. */
  readonly popularity: number;
}

export interface SearchQuery {
  /** As it was typed; words beyond the tenth are passed over. */
  readonly text: string;
  /** Whether the last word may be unfinished. */
  readonly isTyping?: boolean;
  /** A document has to have one of the values of each facet that is named. */
  readonly filters?: Readonly<Record<string, readonly string[]>>;
  /** Facets whose values are to be counted over all that is found. */
  readonly facets?: readonly string[];
  /** 20 when absent, at most 100. */
  readonly limit?: number;
  /** At most 1,000. */
  readonly offset?: number;
}

/** A text in which words were found: `[from, to)` of each, in UTF-16 code units. */
export interface SearchHighlight {
  readonly field: SearchField;
  readonly text: string;
  readonly ranges: readonly (readonly [from: number, to: number])[];
}

export interface SearchHit {
  readonly id: string;
  /** Greater fits better; comparable within one answer and the same number of typos. */
  readonly score: number;
  /** How many typos of the query were passed over to find it. */
  readonly typos: number;
  readonly highlights: readonly SearchHighlight[];
}

export interface SearchResult {
  readonly hits: readonly SearchHit[];
  /** How many there are altogether, counted up to 1,000. */
  readonly total: number;
  readonly facets: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/**
 * Full text for people who type: words in any order, case and accents passed over, Cyrillic and Greek found by their Latin
 * letters, the last word by its beginning, typos forgiven where too little is found without: none up to 4 letters, one up to 8, two
 * beyond, one in the first letter counting double. Names (title, aliases, people, genres) go before descriptions, what fits without typos before what fits with them.
 * An index is made of what others keep: what is lost of it can be put again.
 * Errors: INVALID, DISK_FULL, STORE_CORRUPT, STORE_DENIED, STORE_UNAVAILABLE.
 */
export interface Search {
  /** Puts documents, in the place of those with the same ids (those that are as they were cost nothing); found as soon as this resolves. At most 10,000 at once. */
  put(documents: readonly SearchDocument[]): Promise<void>;
  /** Takes documents out; ids that are not there do no harm. */
  remove(ids: readonly string[]): Promise<void>;
  /** Words that are found by one another, each group at most 20 of them; replaces what was set before. At most 10,000 groups. */
  setSynonyms(groups: readonly (readonly string[])[]): Promise<void>;
  query(query: SearchQuery): Promise<SearchResult>;
  /** How many documents there are. */
  count(): Promise<number>;
  /** Says that the owner has put everything since the index was not whole. An engine that fills a new index beside an old one answers from the new one from then on. */
  settle(): Promise<void>;
  /** False where the index is new or was lost, until `settle`: its owner puts everything again. */
  isWhole(): Promise<boolean>;
  close(): Promise<void>;
}
