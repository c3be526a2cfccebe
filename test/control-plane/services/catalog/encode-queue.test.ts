import t from 'tap';
import { createSystemChance } from '../../../../common/runtime/chance.ts';
import { coded } from '../../../../common/runtime/errors.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { EncodeQueue } from '../../../../control-plane/services/catalog/encode-queue.ts';
import type { JobHolder, JobShelf } from '../../../../control-plane/services/catalog/job-shelf.ts';
import { catalogDefaults } from '../../../../control-plane/services/catalog/ports.ts';

const id = 'artwork_1';

/** A queue over a shelf with one picture, of which each change waits until the test lets it go on. */
function openQueue() {
  const clock = createManualClock();
  const turn = Promise.withResolvers<undefined>();
  let finds = 0;
  let held: JobHolder | undefined = {
    ...{ id, createdAtMs: 0, sourceSizeBytes: 1, phase: 'queued' },
    job: { jobId: 'job_1', state: 'queued', attempt: 0 },
  };
  const shelf: JobShelf = {
    makes: 'picture',
    all: () => (held === undefined ? [] : [held]),
    find: () => {
      finds++;
      return held;
    },
    ofJob: () => held,
    async change(_, change) {
      await turn.promise;
      if (held === undefined) throw coded('ARTWORK_UNKNOWN', id);
      return (held = { ...held, ...change(held) });
    },
    has: () => false,
    accept: () => Promise.reject(new Error('nothing is made')),
    told: () => ({ titleId: 'title_1', name: 'Film' }),
    sourceDone: () => undefined,
  };
  const parts = { shelves: [shelf], clock, chance: createSystemChance(), log: createSilentLog() };
  const queue = new EncodeQueue({ ...parts, options: { ...catalogDefaults, uploadsDir: '' } });
  return {
    ...{ clock, queue, finds: () => finds },
    goOn: () => {
      turn.resolve(undefined);
    },
    remove: () => {
      held = undefined;
    },
  };
}

t.test('what is removed while it is leased is waited for no more', async (t) => {
  const { clock, queue, goOn, remove, finds } = openQueue();
  const leasing = queue.lease('encoder', { waitMs: 0, makes: ['picture'] });
  remove();
  queue.forget(id);
  goOn();
  await t.rejects(leasing, { code: 'ARTWORK_UNKNOWN' });
  const before = finds();
  const next = queue.lease('encoder', { waitMs: 1000, makes: ['picture'] });
  for (let ms = 0; ms < 1000; ms += 50) await clock.advance(50);
  t.equal(await next, undefined);
  t.ok(finds() - before < 5, 'nobody looks for it again and again');
});

t.test('a lease of what is gone ends with its time', async (t) => {
  const { clock, queue, goOn, remove } = openQueue();
  goOn();
  t.match(await queue.lease('encoder', { waitMs: 0, makes: ['picture'] }), { jobId: 'job_1' });
  remove();
  t.match(queue.progressOf(id), { stage: 'starting' });
  await clock.advance(catalogDefaults.encodeLeaseMs + 1);
  await queue.expire();
  t.equal(queue.progressOf(id), undefined);
});
