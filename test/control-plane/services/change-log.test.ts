import t from 'tap';

import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { createChangeLog } from '../../../control-plane/services/change-log.ts';

t.test('changes are told from a number on, the last of each key, and waited for', async (t) => {
  const clock = createManualClock();
  const log = createChangeLog({ clock, keysMax: 3 });
  const now = { waitMs: 0 };
  const start = await log.since(0, now);
  t.equal(start.keys, undefined, 'who knows no number looks at all');
  for (const key of ['a', 'b', 'a']) log.note(key);
  const some = await log.since(start.sequence, now);
  t.strictSame(some.keys, ['b', 'a']);
  t.strictSame(await log.since(some.sequence, now), { sequence: some.sequence, keys: [] });
  const waits = log.since(some.sequence, { waitMs: 1000 });
  log.note('c');
  t.strictSame((await waits).keys, ['c']);
  for (const key of ['d', 'e']) log.note(key);
  t.equal((await log.since(start.sequence, now)).keys, undefined, 'too long ago');
  t.strictSame((await log.since(some.sequence, now)).keys, ['c', 'd', 'e']);
  const quiet = log.since((await log.since(0, now)).sequence, { waitMs: 1000 });
  await clock.advance(1000);
  t.strictSame((await quiet).keys, []);
  await clock.advance(60_000);
  const later = createChangeLog({ clock, keysMax: 3 });
  t.equal((await later.since(some.sequence, now)).keys, undefined, 'of an earlier process');
});
