import { coded, type CodedError } from '../../common/runtime/errors.ts';
import { LineSplitter } from '../../common/runtime/line-splitter.ts';
import { readRecorded } from '../../common/runtime/recorded-file.ts';
import { RatingList, ratingsMax, type Ratings } from './rating-list.ts';

/** A line that is no rating. */
export interface TornLine {
  readonly line: number;
  readonly reason: string;
}

export interface RatingsFile {
  readonly ratings: Ratings;
  /** Lines that were passed over, and the first of them. */
  readonly tornLines: number;
  readonly firstTorn: readonly TornLine[];
}

interface ReadOptions {
  readonly onProgress: (fraction: number) => void;
  readonly signal: AbortSignal;
}

/** Which field of a line is which, from 0; absent where a file has none. */
interface Columns {
  readonly user: number;
  readonly item: number;
  readonly rating?: number | undefined;
  readonly time?: number | undefined;
}

const tornKept = 10;
/** A file with more torn lines than this share of them is of another format. */
const tornShareMax = 0.1;
const separators = ['::', '\t', ',', ';', /\s+/] as const;
const ratingMax = 1e9;

/**
 * Reads `user item rating time`, one a line: fields between tabs, commas, semicolons, `::` or spaces; a header may name them in another
 * order (as MovieLens and RecBole write them); rating and time may be absent.
 *
 * @throws PATH_UNREADABLE, RATINGS_INVALID
 */
export async function readRatings(path: string, options: ReadOptions): Promise<RatingsFile> {
  const reader = new RatingsReader();
  await readRecorded(path, { ...options, sink: reader, invalid: 'RATINGS_INVALID' });
  return reader.result(path);
}

class RatingsReader {
  readonly #list = new RatingList();
  readonly #firstTorn: TornLine[] = [];
  readonly #lines = new LineSplitter(invalid, (line, number) => {
    this.#take(line.trim(), number);
  });
  #shape: { separator: string | RegExp; columns: Columns } | undefined;
  #tornLines = 0;
  #seen = 0;

  push(bytes: Buffer): void {
    this.#lines.push(bytes);
  }

  end(): void {
    this.#lines.end();
  }

  result(path: string): RatingsFile {
    const [first] = this.#firstTorn;
    if (first !== undefined && this.#tornLines > tornShareMax * this.#seen)
      throw coded(
        'RATINGS_INVALID',
        `${path}: ${this.#tornLines} of ${this.#seen} lines are no ratings, the first is line ${first.line}: ${first.reason}`,
      );
    const ratings = this.#list.ratings();
    if (ratings.count === 0)
      throw coded('RATINGS_INVALID', `${path} holds no rating; write \`user item rating time\` lines`);
    return { ratings, tornLines: this.#tornLines, firstTorn: this.#firstTorn };
  }

  #take(line: string, number: number): void {
    if (line === '') return;
    if (this.#shape === undefined) {
      const separator = separators.find((one) => line.split(one).length > 1) ?? separators[0];
      const columns = columnsOf(line.split(separator));
      this.#shape = { separator, columns: columns ?? { user: 0, item: 1, rating: 2, time: 3 } };
      if (columns !== undefined) return;
    }
    this.#seen++;
    const { separator, columns } = this.#shape;
    const reason = this.#add(line.split(separator), columns);
    if (reason === undefined) return;
    this.#tornLines++;
    if (this.#firstTorn.length < tornKept) this.#firstTorn.push({ line: number, reason });
  }

  /** Adds a line's rating, or says why it is none. */
  #add(fields: readonly string[], { user, item, rating, time }: Columns): string | undefined {
    const field = (column: number | undefined): string =>
      column === undefined ? '' : (fields[column] ?? '').trim();
    const who = field(user);
    const what = field(item);
    if (who === '' || what === '') return `names no ${who === '' ? 'user' : 'item'}`;
    const told = field(rating);
    const value = told === '' ? NaN : Number(told);
    if (told !== '' && !(Math.abs(value) <= ratingMax))
      return `has rating ${JSON.stringify(told.slice(0, 40))}`;
    const at = field(time);
    const when = at === '' ? 0 : Number(at);
    if (!Number.isFinite(when)) return `has time ${JSON.stringify(at.slice(0, 40))}`;
    if (this.#list.length === ratingsMax)
      throw invalid('it', `holds more than ${ratingsMax} ratings; take a sample of its users`);
    this.#list.add(who, what, { rating: value, time: when });
    return undefined;
  }
}

const names = {
  user: /^user/i,
  item: /^(item|movie|title)/i,
  rating: /^(rating|score)/i,
  time: /^time/i,
} as const;

/** The columns that a header names; undefined where the line is no header. */
function columnsOf(fields: readonly string[]): Columns | undefined {
  const find = (name: RegExp): number | undefined => {
    const found = fields.findIndex((field) => name.test(field.trim()));
    return found < 0 ? undefined : found;
  };
  const user = find(names.user);
  const item = find(names.item);
  if (user === undefined || item === undefined) return undefined;
  return { user, item, rating: find(names.rating), time: find(names.time) };
}

function invalid(where: string, detail: string): CodedError {
  return coded('RATINGS_INVALID', `${where} ${detail}`);
}
