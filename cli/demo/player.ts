import type { ChunkTree } from '../../common/core/chunk-tree.ts';
import { ChunkTreeBuilder } from '../../common/core/chunk-tree.ts';
import { coded } from '../../common/runtime/errors.ts';

/** One pathway of a multivariant playlist: its best variant's and its audio's playlists. */
export interface HeadlessPathway {
  readonly id: string;
  readonly playlists: readonly string[];
}

/** A range of a media file, as a playlist names it. */
export interface MediaRange {
  readonly start: number;
  readonly lengthBytes: number;
}

/** A media playlist: the file and the ranges that a player fetches of it, in order. */
export interface MediaPlaylist {
  readonly uri: string;
  readonly ranges: readonly MediaRange[];
}

/** What one playback fetched. */
export interface Fetched {
  requests: number;
  bytes: number;
  readonly bytesByHost: Map<string, number>;
  failovers: number;
}

const requestTimeoutMs = 4000;

/** Reads a multivariant playlist as a player does: pathways in the order of their first appearance. */
export function parseMultivariant(text: string, url: string): HeadlessPathway[] {
  const byId = new Map<string, { bandwidth: number; variant: string; audio?: string }>();
  const audioByGroup = new Map<string, string>();
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const attribute = (name: string) => new RegExp(`[:,]${name}="?([^",]*)"?`).exec(line)?.[1];
    if (line.startsWith('#EXT-X-MEDIA:') && attribute('TYPE') === 'AUDIO') {
      audioByGroup.set(attribute('GROUP-ID') ?? '', new URL(attribute('URI') ?? '', url).href);
    }
    if (!line.startsWith('#EXT-X-STREAM-INF:')) continue;
    const id = attribute('PATHWAY-ID') ?? '.';
    const bandwidth = Number(attribute('BANDWIDTH') ?? 0);
    const known = byId.get(id);
    if (known !== undefined && known.bandwidth >= bandwidth) continue;
    const audio = audioByGroup.get(attribute('AUDIO') ?? '');
    const variant = new URL(lines[index + 1] ?? '', url).href;
    byId.set(id, {
      bandwidth,
      variant,
      ...(audio === undefined ? {} : { audio }),
    });
  }
  return [...byId].map(([id, { variant, audio }]) => ({
    id,
    playlists: audio === undefined ? [variant] : [variant, audio],
  }));
}

/** Reads a media playlist of byte ranges. */
export function parseMediaPlaylist(text: string, url: string): MediaPlaylist {
  const map = /#EXT-X-MAP:URI="([^"]+)",BYTERANGE="(\d+)@(\d+)"/.exec(text);
  if (map === null) throw coded('INTERNAL', `the playlist ${new URL(url).host} sent has no EXT-X-MAP`);
  const ranges = [{ start: Number(map[3]), lengthBytes: Number(map[2]) }];
  for (const range of text.matchAll(/#EXT-X-BYTERANGE:(\d+)@(\d+)/g)) {
    ranges.push({ start: Number(range[2]), lengthBytes: Number(range[1]) });
  }
  return { uri: new URL(map[1] ?? '', url).href, ranges };
}

/** Fetches bytes from the first pathway that gives them, as a player fails over: the next one after any error. */
export class HeadlessPlayer {
  readonly fetched: Fetched = {
    requests: 0,
    bytes: 0,
    bytesByHost: new Map(),
    failovers: 0,
  };
  readonly pathways: readonly HeadlessPathway[];
  /** Sizes of the files of which a range was fetched, by their names. */
  readonly sizesBytes = new Map<string, number>();
  readonly #signal: AbortSignal;
  #current = 0;

  constructor(pathways: readonly HeadlessPathway[], signal: AbortSignal) {
    this.pathways = pathways;
    this.#signal = signal;
  }

  /** The pathway that serves now. */
  get current(): HeadlessPathway {
    const pathway = this.pathways[this.#current % this.pathways.length];
    if (pathway === undefined) throw coded('NO_PATHWAY', 'the playlist declares none');
    return pathway;
  }

  /** Follows steering's order: the first of it that the playlist declares. */
  steer(priority: readonly string[]): void {
    for (const id of priority) {
      const index = this.pathways.findIndex((pathway) => pathway.id === id);
      if (index === -1) continue;
      this.#current = index;
      return;
    }
  }

  /** A playlist's text, by its place in the pathway's list. */
  async playlist(index: number): Promise<MediaPlaylist> {
    return await this.#failingOver(async (pathway) => {
      const url = pathway.playlists[index] ?? '';
      return parseMediaPlaylist((await this.#fetch(url)).toString('utf8'), url);
    });
  }

  /** A range of the file that playlist `index` names; every pathway names the same one. */
  async range(index: number, path: string, range: MediaRange): Promise<Buffer> {
    return await this.#failingOver(async (pathway) => {
      const url = new URL(path, pathway.playlists[index]).href;
      return await this.#fetch(url, range);
    });
  }

  async #failingOver<T>(attempt: (pathway: HeadlessPathway) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const _ of this.pathways) {
      try {
        return await attempt(this.current);
      } catch (error) {
        failure = error;
        this.#current++;
        this.fetched.failovers++;
      }
    }
    throw failure;
  }

  async #fetch(url: string, range?: MediaRange): Promise<Buffer> {
    const headers =
      range === undefined ? {} : { range: `bytes=${range.start}-${range.start + range.lengthBytes - 1}` };
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(requestTimeoutMs)]);
    const response = await fetch(url, { headers, signal });
    const expected = range === undefined ? 200 : 206;
    if (response.status !== expected)
      throw coded('UNAVAILABLE', `${new URL(url).host} answered ${response.status}`);
    const bytes = Buffer.from(await response.arrayBuffer());
    const host = new URL(url).host;
    if (range !== undefined) {
      if (bytes.length !== range.lengthBytes) throw coded('FILL_SOURCE_FAILED', 'a range came back short');
      const size = response.headers.get('content-range')?.split('/')[1];
      this.sizesBytes.set(url.slice(url.lastIndexOf('/') + 1), Number(size));
    }
    this.fetched.requests++;
    this.fetched.bytes += bytes.length;
    this.fetched.bytesByHost.set(host, (this.fetched.bytesByHost.get(host) ?? 0) + bytes.length);
    return bytes;
  }
}

/** Puts ranges together and names the whole: the name says whether every byte is the encoder's. */
export function nameOfRanges(parts: readonly { range: MediaRange; bytes: Buffer }[]): {
  file: string;
  tree: ChunkTree;
} {
  const builder = new ChunkTreeBuilder();
  let at = 0;
  for (const { range, bytes } of parts.toSorted((a, b) => a.range.start - b.range.start)) {
    if (range.start !== at) throw coded('INTERNAL', `the ranges leave a hole at byte ${at}`);
    builder.update(bytes);
    at += bytes.length;
  }
  return builder.finish();
}

/** The ranges of the file that no playlist names (its indexes), so that the whole can be hashed. */
export function holesOf(ranges: readonly MediaRange[], sizeBytes: number): MediaRange[] {
  const holes: MediaRange[] = [];
  let at = 0;
  const end = { start: sizeBytes, lengthBytes: 0 };
  for (const range of [...ranges, end].toSorted((a, b) => a.start - b.start)) {
    if (range.start > at) holes.push({ start: at, lengthBytes: range.start - at });
    at = Math.max(at, range.start + range.lengthBytes);
  }
  return holes;
}
