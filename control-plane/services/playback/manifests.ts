import { LRUCache } from 'lru-cache';
import { dashMpd, dashPeriod } from '../../core/dash-mpd.ts';
import { hlsMultivariant, hlsShape, type HlsShape } from '../../core/hls-multivariant.ts';
import type { ManifestInput } from '../../core/playback-manifest.ts';
import type { RenderedXml } from '../../core/xml.ts';

export type ManifestKind = 'hls' | 'dash';

/** A film of two hours has about a million in DASH, some thousands in HLS. */
const charactersMax = 64_000_000;

/** Writes manifests of sessions: what is the same for all who play the same is made once and kept while it is asked for. */
export class Manifests {
  /** By what they are of: the bundle, those of its renditions that a session plays, and what it starts with. */
  readonly #periods = new LRUCache<string, RenderedXml>({
    maxSize: charactersMax,
    sizeCalculation: ({ rendered }) => rendered.length,
  });
  readonly #shapes = new LRUCache<string, HlsShape>({
    maxSize: charactersMax,
    sizeCalculation: ({ texts }) => texts.reduce((sum, text) => sum + text.length, 1),
  });

  /** A session's manifest; `bundleName` is that of the bundle of which `input` has all or some. */
  write(kind: ManifestKind, bundleName: string, input: ManifestInput): string {
    const key = shapeKey(bundleName, input);
    return kind === 'hls'
      ? hlsMultivariant({ ...input, shape: kept(this.#shapes, key, () => hlsShape(input)) })
      : dashMpd({ ...input, period: kept(this.#periods, key, () => dashPeriod(input)) });
  }
}

function shapeKey(bundleName: string, { bundle, captionsShown = '' }: ManifestInput): string {
  const { video, audio, captions = [] } = bundle;
  // No id has a space in it, so that the last is what is shown.
  return [bundleName, ...[...video, ...audio, ...captions].map(({ id }) => id), captionsShown].join(' ');
}

function kept<T extends object>(cache: LRUCache<string, T>, key: string, make: () => T): T {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = make();
  cache.set(key, made);
  return made;
}
