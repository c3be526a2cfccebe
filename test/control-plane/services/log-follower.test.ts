import { cp, mkdtemp, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';

import { openEventLog } from '../../../common/adapters/events/log.ts';
import type { Events } from '../../../common/adapters/events/port.ts';
import { openCollection } from '../../../common/adapters/records/collection.ts';
import { openSqliteRecords } from '../../../common/adapters/records/sqlite.ts';
import { Type } from '../../../common/contract/type.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import {
  answerEventLog,
  askForEventLog,
  followLog,
} from '../../../control-plane/services/events/event-log.ts';
import { LogFollower, openOffsets, type FollowedLog } from '../../../control-plane/services/log-follower.ts';

const Counted = Type.Object({ times: Type.Integer() });

/** Logs one after the other under a follower, which counts each event's id in the records, and dies when it is told to. */
async function openLab(t: Test, { isApart }: { isApart: boolean }) {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-follower-'));
  const clock = createManualClock();
  const records = await openSqliteRecords(join(directory, 'events.db'));
  const counted = openCollection(records, 'counted', (value) => parseAs(Counted, value, { what: 'a count' }));
  let logs = 0;
  let path = join(directory, 'log-0');
  let current: Events = await openEventLog(path);
  let number = 0;
  const here = (): FollowedLog =>
    isApart ? askForEventLog(answerEventLog(current), ['player']) : followLog(current);
  const events: FollowedLog = {
    read: (after) => here().read(after),
    wait: (after, signal) => here().wait(after, signal),
    end: () => here().end(),
    commit: (consumer, place) => here().commit(consumer, place),
  };
  const follow = async (): Promise<LogFollower> => {
    const follower: LogFollower = new LogFollower({
      ...{ events, records, clock, log: createSilentLog(), consumer: 'counter', what: 'it is counted' },
      async handle(read, next) {
        // In two steps: a place may be kept in the midst of what was read.
        const half = Math.ceil(read.length / 2);
        for (const [some, to] of [
          [read.slice(0, half), read[half - 1]?.offset],
          [read.slice(half), next],
        ] as const) {
          if (to === undefined) continue;
          const operations = [];
          for (const { id = '' } of some)
            operations.push(
              counted.putOperation(id, { times: ((await counted.get(id))?.value.times ?? 0) + 1 }),
            );
          await follower.commit(to, { operations });
        }
      },
    });
    await follower.open();
    return follower;
  };
  let follower = await follow();
  const close = async (): Promise<void> => {
    await current.close();
    await records.close();
    await rm(directory, { recursive: true, force: true });
  };
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return {
    ...{ clock, records, close, catchUp: () => follower.catchUp() },
    /** Appends so many, and gives their ids. */
    async append(count: number): Promise<string[]> {
      await clock.advance(1);
      const ids = Array.from({ length: count }, () => `id-${String(number++)}`);
      const timeMs = clock.nowMs();
      if (count > 0) await current.append(ids.map((id) => ({ id, type: 'player', timeMs, data: {} })));
      return ids;
    },
    async restart(): Promise<void> {
      follower = await follow();
    },
    /** Keeps a copy of the log as it is now. */
    async copy(): Promise<void> {
      await current.close();
      await rm(join(directory, 'copy'), { recursive: true, force: true });
      await cp(path, join(directory, 'copy'), { recursive: true });
      current = await openEventLog(path);
    },
    /** Puts another log in the place of this one: the copy, where there is one, or one without events. */
    async replace({ byCopy }: { byCopy: boolean }): Promise<void> {
      await current.close();
      path = join(directory, `log-${String(++logs)}`);
      if (byCopy) {
        await cp(join(directory, 'copy'), path, { recursive: true });
        await unlink(join(path, 'log-id'));
      }
      current = await openEventLog(path);
      await clock.advance(1);
    },
    async times(): Promise<Map<string, number>> {
      const times = new Map<string, number>();
      for await (const { key, value } of counted.all()) times.set(key, value.times);
      return times;
    },
  };
}

t.test(
  'of logs that replace each other, grow, and hold the same again, each event counts once',
  async (t) => {
    const step = fc.oneof(
      fc.record({ does: fc.constant('append' as const), count: fc.nat({ max: 12 }) }),
      fc.record({ does: fc.constantFrom('catchUp' as const, 'restart', 'copy', 'anew', 'restore') }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, isApart) => {
        const lab = await openLab(t, { isApart });
        // Of before a log was lost unread nobody can tell: it must not count twice, though.
        let appended: string[] = [];
        const must = new Set<string>();
        let isCopied = false;
        const catchUp = async (): Promise<void> => {
          await lab.catchUp().catch(async () => {
            // As a process that has died by it.
            await lab.restart();
            await lab.catchUp();
          });
          for (const id of appended) must.add(id);
        };
        for (const one of steps) {
          if (one.does === 'append') appended.push(...(await lab.append(one.count)));
          else if (one.does === 'catchUp') await catchUp();
          else if (one.does === 'restart') await lab.restart();
          else if (one.does === 'copy') {
            await lab.copy();
            isCopied = true;
          } else if (one.does === 'anew' || isCopied) {
            await lab.replace({ byCopy: one.does === 'restore' });
            await lab.restart();
            appended = [];
          }
        }
        await catchUp();
        const times = await lab.times();
        await lab.close();
        for (const id of must) if (times.get(id) !== 1) throw new Error(`${id} counts ${times.get(id) ?? 0}`);
        for (const [id, count] of times) if (count !== 1) throw new Error(`${id} counts ${count}`);
      }),
      {
        numRuns: 80,
        examples: [
          [
            [
              { does: 'append', count: 5 },
              { does: 'copy' },
              { does: 'append', count: 2 },
              { does: 'catchUp' },
              { does: 'restore' },
              { does: 'append', count: 9 },
            ],
            true,
          ],
        ],
      },
    );
  },
);

t.test('places of before logs had ids are taken on, with the id from then on', async (t) => {
  const lab = await openLab(t, { isApart: true });
  const [first = ''] = await lab.append(1);
  await openOffsets(lab.records).put('counter', { offset: 1 });
  const [second = ''] = await lab.append(1);
  await lab.restart();
  await lab.catchUp();
  t.strictSame([...(await lab.times())], [[second, 1]], `${first} counts already`);
  await lab.replace({ byCopy: false });
  const third = await lab.append(3);
  await lab.restart();
  await lab.catchUp();
  t.strictSame([...(await lab.times()).keys()].sort(), [second, ...third], 'longer than what was read');
  await lab.close();
});

t.test('a clock that was ahead hides nothing of another log', async (t) => {
  const lab = await openLab(t, { isApart: false });
  await lab.clock.advance(86_400_000);
  await lab.append(2);
  await lab.catchUp();
  const { value } = (await openOffsets(lab.records).get('counter')) ?? {};
  t.match(value, { offset: 2, countedToMs: lab.clock.nowMs() });
  await openOffsets(lab.records).put('counter', {
    ...value,
    offset: 2,
    countedToMs: lab.clock.nowMs() + 9e9,
  });
  await lab.replace({ byCopy: false });
  await lab.restart();
  await lab.catchUp();
  await lab.append(3);
  await lab.catchUp();
  t.equal((await lab.times()).size, 5);
  await lab.close();
});
