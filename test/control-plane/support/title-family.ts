import fc from 'fast-check';
import type { Release } from '../../../common/contract/release.ts';
import type { TitleKind } from '../../../common/contract/title-metadata.ts';
import type { TitleRecord } from '../../../control-plane/services/catalog/records.ts';

const window = fc.record(
  {
    regions: fc.subarray(['DE', 'AT'], { minLength: 1 }),
    fromMs: fc.constantFrom(0, 10, 20),
    toMs: fc.constantFrom(15, 30),
  },
  { requiredKeys: [] },
);
const release: fc.Arbitrary<Release> = fc.record({
  stage: fc.constantFrom('draft' as const, 'published' as const),
  windows: fc.array(window, { maxLength: 2 }),
});
const told = fc.record({ release, maturity: fc.constantFrom(0, 12, 18) }, { requiredKeys: [] });
const phase = fc.constantFrom('live' as const, 'encoding' as const);
type Told = typeof told extends fc.Arbitrary<infer T> ? T : never;

/** A film with an extra, and a series with two seasons of two episodes each, an extra in one of them. */
export const family: readonly [id: string, kind: TitleKind, parentId?: string][] = [
  ['title_film00000', 'movie'],
  ['title_extra0000', 'extra', 'title_film00000'],
  ['title_series000', 'series'],
  ['title_season001', 'season', 'title_series000'],
  ['title_season002', 'season', 'title_series000'],
  ['title_episode11', 'episode', 'title_season001'],
  ['title_episode12', 'episode', 'title_season001'],
  ['title_episode21', 'episode', 'title_season002'],
  ['title_episodex0', 'extra', 'title_episode21'],
];

/** What is told of a title and whether it is live. */
export const toldOfTitle = fc.tuple(told, phase);

/** The viewers whose rights are told apart. */
export const viewers = ['DE', 'AT', undefined].flatMap((region) =>
  [6, 12, 18].map((maturityMax) => ({ maturityMax, ...(region !== undefined && { region }) })),
);

/** The record of one of the family, made at the time of its number. */
export function recordOf(at: number, more: Told, wanted: 'live' | 'encoding'): TitleRecord {
  const [id = '', kind = 'movie', parentId] = family[at] ?? [];
  const isHolder = kind === 'series' || kind === 'season';
  return {
    ...{ version: 1, id, name: id, pinned: false, createdAtMs: at, sourceSizeBytes: 1, sourceStored: false },
    phase: isHolder ? 'live' : wanted,
    source: isHolder ? { kind: 'none' } : { kind: 'path', path: '/x' },
    details: { kind, ...(parentId !== undefined && { parentId }), ...more },
  };
}
