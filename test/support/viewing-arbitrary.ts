import fc from 'fast-check';

import type { Stamp, ViewingEntry, ViewingRegister, ViewingRows } from '../../common/core/viewing-state.ts';

/** Few of each, so that rows meet. */
export const profileIds = ['prf_a', 'prf_b'];
export const titleIds = ['title_a', 'title_b', 'title_c', 'title_D', 'title_-'];

// Without: some of its objects have no prototype, and are like no other.
const plainRecord = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(fields, { noNullPrototype: true });

const stamp: fc.Arbitrary<Stamp> = plainRecord({
  atMs: fc.integer({ min: 1, max: 4 }),
  deviceId: fc.constantFrom('tv', 'TV', 'phone', '_'),
  sequence: fc.integer({ min: 0, max: 3 }),
});

const register: fc.Arbitrary<ViewingRegister> = plainRecord({
  profileId: fc.constantFrom(...profileIds),
  kind: fc.constantFrom('progress', 'list', 'rating', 'forgotten', 'hidden'),
  titleId: fc.constantFrom(...titleIds),
  stamp,
  value: fc.integer({ min: -1, max: 3 }),
});

const entry: fc.Arbitrary<ViewingEntry> = plainRecord({
  profileId: fc.constantFrom(...profileIds),
  startedAtMs: fc.integer({ min: 0, max: 2 }),
  viewingId: fc.constantFrom('v1', 'v2'),
  titleId: fc.constantFrom(...titleIds),
  stamp,
  positionMs: fc.integer({ min: 0, max: 2 }),
  watchedMs: fc.integer({ min: 0, max: 2 }),
});

/** Rows as some reports would say them; devices that say two things of one moment among them. */
export const viewingRows: fc.Arbitrary<ViewingRows> = plainRecord({
  registers: fc.array(register, { maxLength: 6 }),
  entries: fc.array(entry, { maxLength: 4 }),
});
