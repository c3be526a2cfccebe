import { setImmediate } from 'node:timers/promises';
import { coded } from '../../../common/runtime/errors.ts';
import { personOf } from './core/taste-of.ts';
import type { KnownTitle, RecommendationsOptions, RecommendedProfiles, RecommendedTitles } from './ports.ts';

/** Who met what and when: what a training is given. Arrays of one length; no pair of profile and title twice. */
export interface Meetings {
  readonly profiles: number;
  /** Of each item its title. */
  readonly titles: readonly string[];
  readonly userOf: Uint32Array<ArrayBuffer>;
  readonly itemOf: Uint32Array<ArrayBuffer>;
  /** How much it was liked, 1 to 5. */
  readonly ratingOf: Float32Array<ArrayBuffer>;
  /** Unix seconds. */
  readonly timeOf: Uint32Array<ArrayBuffer>;
}

const chunkLength = 65_536;
/** Nobody has a title below another deeper than this. */
const depthMax = 4;

/**
 * What stands in rows for a title that was played: itself, or the series of an episode. Extras and what is gone stand nowhere.
 */
export function offeredFor(titles: Pick<RecommendedTitles, 'find'>, id: string): string | undefined {
  let at: KnownTitle | undefined = titles.find(id);
  for (let depth = 0; at !== undefined && depth < depthMax; depth++) {
    if (at.kind === 'extra') return undefined;
    if (at.parentId === undefined) return standsAlone(at) ? at.id : undefined;
    at = titles.find(at.parentId);
  }
  return undefined;
}

/** Whether a title is offered by itself. */
export function standsAlone({ kind }: Pick<KnownTitle, 'kind'>): boolean {
  return kind === 'movie' || kind === 'series';
}

/** Reads what all profiles have met, in bounded memory: 16 bytes a meeting, twice that at the end. Errors: ABORTED, those of the profiles. */
export async function readMeetings(
  { profiles, titles }: { profiles: RecommendedProfiles; titles: RecommendedTitles },
  { meetingsMax, itemsMax }: Pick<RecommendationsOptions, 'meetingsMax' | 'itemsMax'>,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (profiles: number) => void },
): Promise<Meetings> {
  const list = new MeetingList();
  const known = new Map<string, string | undefined>();
  const find = (id: string): string | undefined => {
    if (!known.has(id)) known.set(id, offeredFor(titles, id));
    return known.get(id);
  };
  let count = 0;
  for await (const profileId of profiles.ids()) {
    const { meetings } = personOf(await profiles.taste(profileId), find);
    if (list.length + meetings.length > meetingsMax) break;
    for (const { titleId, rating, atMs } of meetings)
      list.add({ user: count, titleId, rating, timeS: Math.floor(atMs / 1000) });
    if (meetings.length > 0) onProgress(++count);
    // The store answers at once: without this nobody else would be.
    await setImmediate();
    if (signal.aborted) throw coded('ABORTED', 'stopped before it was done');
  }
  return { profiles: count, ...list.finish(itemsMax) };
}

interface Chunk {
  readonly userOf: Uint32Array;
  readonly itemOf: Uint32Array;
  readonly ratingOf: Float32Array;
  readonly timeOf: Uint32Array;
}

/** Meetings as they come, in chunks, so that nothing is copied while there are more. */
class MeetingList {
  readonly #chunks: Chunk[] = [];
  readonly #items = new Map<string, number>();
  length = 0;

  add({ user, titleId, rating, timeS }: { user: number; titleId: string; rating: number; timeS: number }) {
    const at = this.length % chunkLength;
    if (at === 0)
      this.#chunks.push({
        userOf: new Uint32Array(chunkLength),
        itemOf: new Uint32Array(chunkLength),
        ratingOf: new Float32Array(chunkLength),
        timeOf: new Uint32Array(chunkLength),
      });
    const chunk = this.#chunks.at(-1);
    const item = this.#items.get(titleId) ?? this.#items.size;
    this.#items.set(titleId, item);
    if (chunk === undefined) return;
    chunk.userOf[at] = user;
    chunk.itemOf[at] = item;
    chunk.ratingOf[at] = rating;
    chunk.timeOf[at] = timeS;
    this.length++;
  }

  /** All of one length; where more titles were met than a model may know, those that were met most. */
  finish(itemsMax: number): Omit<Meetings, 'profiles'> {
    const { titles, itemFor } = this.#mostMet(itemsMax);
    let kept = 0;
    this.#each((chunk, at) => {
      if ((itemFor[chunk.itemOf[at] ?? 0] ?? -1) >= 0) kept++;
    });
    const all = {
      titles,
      userOf: new Uint32Array(kept),
      itemOf: new Uint32Array(kept),
      ratingOf: new Float32Array(kept),
      timeOf: new Uint32Array(kept),
    };
    let next = 0;
    this.#each((chunk, at) => {
      const item = itemFor[chunk.itemOf[at] ?? 0] ?? -1;
      if (item < 0) return;
      all.userOf[next] = chunk.userOf[at] ?? 0;
      all.itemOf[next] = item;
      all.ratingOf[next] = chunk.ratingOf[at] ?? 0;
      all.timeOf[next++] = chunk.timeOf[at] ?? 0;
    });
    return all;
  }

  #mostMet(itemsMax: number): { titles: string[]; itemFor: Int32Array } {
    const counts = new Uint32Array(this.#items.size);
    this.#each((chunk, at) => {
      const item = chunk.itemOf[at] ?? 0;
      counts[item] = (counts[item] ?? 0) + 1;
    });
    const names = [...this.#items.keys()];
    const most = [...counts.keys()]
      .sort((one, other) => (counts[other] ?? 0) - (counts[one] ?? 0) || one - other)
      .slice(0, itemsMax);
    const itemFor = new Int32Array(counts.length).fill(-1);
    for (const [item, old] of most.entries()) itemFor[old] = item;
    return { titles: most.map((old) => names[old] ?? ''), itemFor };
  }

  #each(visit: (chunk: Chunk, at: number) => void): void {
    for (let place = 0; place < this.length; place++) {
      const chunk = this.#chunks[Math.floor(place / chunkLength)];
      if (chunk !== undefined) visit(chunk, place % chunkLength);
    }
  }
}
