import { backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { coded } from '../../runtime/errors.ts';
import type { OpenSearchClient, OpenSearchFailure } from './opensearch-client.ts';

/** A document that is to be written; without a source it is taken out. */
export interface WriteLine {
  readonly id: string;
  /** As JSON. */
  readonly source?: string;
}

/** Where documents are written to. */
export interface WriteTarget {
  readonly client: OpenSearchClient;
  readonly alias: string;
  readonly clock: Clock;
}

const linesMax = 500;
/** In characters: half of what servers take by default, if each were three bytes. */
const requestCharactersMax = 8 * 1024 * 1024;
const timeoutMs = 60_000;
const retriesMax = 4;
const triesMax = 5;
const waits = { firstMs: 200, maxMs: 2000 };

interface BulkAnswer {
  readonly errors: boolean;
  readonly items: readonly Readonly<
    Record<string, { readonly status: number; readonly error?: OpenSearchFailure }>
  >[];
}

/**
 * Writes documents by bulk requests of bounded size, found as soon as this resolves. Those that a server that has too much to do
 * refuses are sent again a little later. Errors: those of the client; INVALID names one that the server cannot take, when all others are written.
 */
export async function writeLines(to: WriteTarget, lines: readonly WriteLine[]): Promise<void> {
  const refused: string[] = [];
  for (const part of partsOf(lines)) refused.push(...(await writePart(to, part)));
  if (refused.length > 0)
    throw coded(
      'INVALID',
      `the search server refuses ${refused.length} documents, first ${refused[0] ?? ''}`,
    );
}

/** What cannot be taken, with the reason. */
async function writePart(
  { client, alias, clock }: WriteTarget,
  part: readonly WriteLine[],
): Promise<string[]> {
  const refused: string[] = [];
  let left = part;
  for (let attempt = 1; ; attempt++) {
    const { value } = await client.call({
      // By an alias alone: a server would make an index that is not there, and guess at its mapping.
      ...{ method: 'POST', path: `/${alias}/_bulk?refresh=true&require_alias=true` },
      ...{ body: left.map(linesOf).join(''), timeoutMs, retriesMax },
    });
    const { items } = value as BulkAnswer;
    const outcomes = items.map((item) => Object.values(item)[0]);
    const again = left.filter((_, at) => outcomes[at]?.status === 429);
    for (const [at, line] of left.entries()) {
      const outcome = outcomes[at];
      if (outcome === undefined)
        throw coded(
          'STORE_UNAVAILABLE',
          `the search server does not say what became of ${left.length - items.length} documents`,
        );
      const { status, error } = outcome;
      const isTaken = status < 300 || (status === 404 && line.source === undefined && error === undefined);
      if (isTaken || status === 429) continue;
      if (error?.type === 'index_not_found_exception')
        throw coded(
          'STORE_UNAVAILABLE',
          `the index behind ${alias} is not on the search server; it is made anew`,
        );
      refused.push(
        `${JSON.stringify(line.id)} (${error?.type ?? status}: ${error?.reason?.slice(0, 200) ?? ''})`,
      );
    }
    if (again.length === 0) return refused;
    if (attempt === triesMax)
      throw coded(
        'STORE_UNAVAILABLE',
        `the search server has too much to do: ${again.length} documents wait`,
      );
    left = again;
    await clock.sleep(backoffMs(waits, attempt - 1));
  }
}

function linesOf({ id, source }: WriteLine): string {
  const action = source === undefined ? { delete: { _id: id } } : { index: { _id: id } };
  return `${JSON.stringify(action)}\n${source === undefined ? '' : `${source}\n`}`;
}

function* partsOf(lines: readonly WriteLine[]): Generator<WriteLine[]> {
  let part: WriteLine[] = [];
  let characters = 0;
  for (const line of lines) {
    const length = line.source?.length ?? 0;
    if (part.length > 0 && (part.length === linesMax || characters + length > requestCharactersMax)) {
      yield part;
      [part, characters] = [[], 0];
    }
    part.push(line);
    characters += length;
  }
  if (part.length > 0) yield part;
}
