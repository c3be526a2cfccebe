import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';

import { openEventLog } from '../../../../common/adapters/events/log.ts';
import type { Events, NewEvent } from '../../../../common/adapters/events/port.ts';
import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';
import type { EventData } from '../../../../common/contract/event-log.ts';
import type { TSchema } from '../../../../common/contract/type.ts';
import { coded } from '../../../../common/runtime/errors.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { parseAs } from '../../../../common/runtime/parse.ts';
import type { Calls } from '../../../../control-plane/apart/interface.ts';
import { answerEventLog, askForEventLog } from '../../../../control-plane/services/events/event-log.ts';
import { eventLog, eventsWorld } from '../../../../control-plane/services/events/interfaces.ts';
import { KnownWorld } from '../../../../control-plane/services/events/known-world.ts';
import { createPopularity, popularityEvents } from '../../../../control-plane/services/events/popularity.ts';
import { eventsDefaults } from '../../../../control-plane/services/events/ports.ts';
import { fileNamed } from '../../support/sample-bundle.ts';
import { until } from '../../support/until.ts';

type Log = Calls<typeof eventLog>;
/** What becomes of a call: it is answered, it never arrives, or its answer is lost. */
type Fate = 'answered' | 'unheard' | 'unanswered';

const film = fileNamed('film.mp4');
const clock = createManualClock();
const timeMs = clock.nowMs();

async function openDirectory(t: Pick<Test, 'teardown'>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-event-log-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The calls as they go over HTTP, each with its fate. */
function over(log: Log, fate: () => Fate): Log {
  const call = <Name extends keyof Log>(name: Name) =>
    (async (ask: never, options) => {
      const becomes = fate();
      if (becomes === 'unheard') throw coded('UNAVAILABLE', 'events: it is away');
      const { ask: asked, answer: answered }: { ask: TSchema; answer: TSchema } = eventLog.verbs[name];
      const heard = parseAs(asked, JSON.parse(JSON.stringify(ask)), { what: name });
      const answer: unknown = await log[name](heard as never, options);
      if (becomes === 'unanswered') throw coded('UNAVAILABLE', 'events: the connection broke');
      return parseAs(answered, JSON.parse(JSON.stringify(answer)), { what: name });
    }) as Log[Name];
  return { read: call('read'), end: call('end'), commit: call('commit'), appendServed: call('appendServed') };
}

const told = (sequence: number, playBytes: number): EventData<'served-report'> => ({
  ...{ nodeId: 'box-1', kid: 'a'.repeat(43), sequence, part: 0, sinceMs: 0, filledBytes: 0 },
  files: [[film, playBytes, 0]],
});
const player = (at: number): NewEvent => ({
  ...{ type: 'player', id: `x:${String(at)}`, timeMs },
  data: { timeMs, type: 'play', positionMs: 0 },
});

async function openPopularity(directory: string, log: Log) {
  const records = await openSqliteRecords(join(directory, 'events.db'));
  const popularity = await createPopularity({
    ...{ events: askForEventLog(log, popularityEvents), records, log: createSilentLog() },
    nodes: { findNode: () => undefined, siteOf: () => 'isp-a' },
    ...{ clock, options: eventsDefaults },
  });
  const close = async (): Promise<void> => {
    await popularity.stop();
    await records.close();
  };
  return { popularity, close };
}

t.test('what is learned over calls that break, by processes that die, counts once', async (t) => {
  const fate = fc.constantFrom<Fate>('answered', 'answered', 'unheard', 'unanswered');
  const step = fc.record({
    reports: fc.nat({ max: 3 }),
    players: fc.constantFrom(0, 3, 1500),
    fates: fc.array(fate, { maxLength: 12 }),
    dies: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
      const directory = await openDirectory(t);
      const events = await openEventLog(join(directory, 'events'));
      const left: Fate[] = [];
      const log = over(answerEventLog(events), () => left.shift() ?? 'answered');
      let core = await openPopularity(directory, log);
      let sequence = 0;
      let sum = 0;
      let [sent, missing] = [0, 0];
      for (const { reports, players, fates, dies } of steps) {
        const batch = Array.from({ length: players }, () => player(sent++));
        for (let from = 0; from < batch.length; from += 1000)
          await events.append(batch.slice(from, from + 1000));
        left.push(...fates);
        for (let report = 0; report < reports; report++) {
          const of = told(++sequence, 100 + sequence);
          const isTaken = await askForEventLog(log, popularityEvents)
            .appendServed(timeMs, [of])
            .then(
              () => true,
              () => false,
            );
          // A box tells again what nobody has confirmed.
          if (!isTaken) await answerEventLog(events).appendServed({ timeMs, parts: [of] });
          sum += 100 + sequence;
        }
        await core.popularity.flush().catch(() => missing++);
        if (dies) {
          await core.close();
          core = await openPopularity(directory, log);
        }
      }
      left.length = 0;
      await core.popularity.flush();
      const { playBytes = 0, missingReports = 0 } = core.popularity.servedBy('box-1') ?? {};
      const weight = core.popularity.popularityOf({ files: [{ file: film, sizeBytes: 1 }] });
      await core.close();
      await events.close();
      if (playBytes !== sum || missingReports !== 0 || Math.abs(weight - sum) > 1e-6)
        throw new Error(`${String(playBytes)} and ${String(weight)} of ${String(sum)}`);
    }),
    { numRuns: 25 },
  );
});

/** A log whose reads are counted, with a reader that goes over the interface. */
async function openReader(t: Test) {
  const directory = await openDirectory(t);
  const events = await openEventLog(join(directory, 'events'));
  t.teardown(() => events.close());
  const reads: number[] = [];
  const counted: Pick<Events, 'append' | 'read' | 'wait' | 'commit' | 'status'> = {
    append: (batch) => events.append(batch),
    read: (after, options) => {
      reads.push(after);
      return events.read(after, options);
    },
    wait: (after, signal) => events.wait(after, signal),
    commit: (consumer, offset) => events.commit(consumer, offset),
    status: () => events.status(),
  };
  const log = over(answerEventLog(counted), () => 'answered');
  const { id } = await events.status();
  const at = (offset: number) => ({ log: id, offset });
  return { directory, events, reads, log, at, reader: askForEventLog(log, popularityEvents) };
}

t.test('who waits is given what it wants, past what it does not', async (t) => {
  const { events, reads, at, reader } = await openReader(t);
  const { signal } = new AbortController();
  const waited = reader.wait(at(0), signal);
  await events.append([player(1), player(2)]);
  await reader.appendServed(timeMs, [told(1, 5)]);
  await waited;
  const count = reads.length;
  const page = await reader.read(at(0));
  t.equal(reads.length, count, 'what was waited for is not read twice');
  t.match(page, { events: [{ offset: 3, type: 'served-report', timeMs }], next: 3, missed: 0 });
  t.match(await reader.read(at(3)), { events: [], next: 3 });
  await events.append([player(3)]);
  t.match(await reader.read(at(3)), { events: [], next: 4 }, 'what it does not want is behind it');
  const stopping = new AbortController();
  const left = reader.wait(at(4), stopping.signal);
  stopping.abort();
  await left;
  t.match(await reader.read(at(4)), { events: [], next: 4 });
});

t.test('a log that was lost while its reader lives on is read from its beginning', async (t) => {
  const { directory, events, log } = await openReader(t);
  let current = log;
  const through: Log = {
    read: (ask, options) => current.read(ask, options),
    end: (ask) => current.end(ask),
    commit: (ask) => current.commit(ask),
    appendServed: (ask) => current.appendServed(ask),
  };
  const { popularity, close } = await openPopularity(directory, through);
  popularity.start(new AbortController().signal);
  const later = async <T>(value: T): Promise<T> => {
    await clock.advance(1000);
    return value;
  };
  const playBytes = (bytes: number) =>
    until(
      () => later(popularity.servedBy('box-1')?.playBytes),
      (known) => known === bytes,
    );
  await log.appendServed({ timeMs, parts: [told(1, 5), told(2, 5)] });
  await events.append([{ type: 'session', timeMs, data: { bundle: film, site: 'isp-a' } }]);
  await playBytes(10);
  await until(
    () => later(popularity.popularityAt('isp-a').sessions?.(film, undefined) ?? 0),
    (expected) => expected > 0,
  );
  const place = async (name: string, site: string) => {
    const anew = await openEventLog(join(directory, name));
    t.teardown(() => anew.close());
    await anew.append([{ type: 'session', timeMs: clock.nowMs(), data: { bundle: film, site } }]);
    return anew;
  };
  const isLearned = (site: string) =>
    until(
      () => later(popularity.popularityAt(site).sessions?.(film, undefined) ?? 0),
      (expected) => expected > 0,
    );
  const anew = await place('anew', 'isp-b');
  let isAway = true;
  current = over(answerEventLog(anew), () => (isAway ? 'unheard' : 'answered'));
  await events.append([player(1)]);
  await log.appendServed({ timeMs, parts: [told(3, 1)] });
  isAway = false;
  await isLearned('isp-b');
  // Now so fast that no call fails.
  await anew.append([player(2), player(3)]);
  await popularity.flush();
  current = over(answerEventLog(await place('once-more', 'isp-c')), () => 'answered');
  await isLearned('isp-c');
  // And now it is longer than what was read of the one before it.
  const longer = await place('longer', 'isp-d');
  for (let at = 4; at < 20; at++) await longer.append([player(at)]);
  await popularity.flush();
  current = over(answerEventLog(longer), () => 'answered');
  await isLearned('isp-d');
  await close();
});

t.test('a place in another log is refused, however long that is', async (t) => {
  const { events, reader, at } = await openReader(t);
  await events.append([player(1), player(2)]);
  const elsewhere = { ...at(1), log: 'f'.repeat(32) };
  const { signal } = new AbortController();
  for (const place of [elsewhere, at(3)]) {
    await t.rejects(reader.read(place), { code: 'CONFLICT' });
    await t.rejects(reader.wait(place, signal), { code: 'CONFLICT' });
    await t.rejects(reader.commit('popularity', place), { code: 'CONFLICT' });
  }
  t.equal(
    await events.committed('popularity'),
    undefined,
    'retention of it has nothing to do with the other',
  );
  await reader.commit('popularity', at(1));
  t.strictSame(await reader.end(), at(2));
});

t.test('where viewers and nodes are is asked once a minute', async (t) => {
  const asked: unknown[] = [];
  let site: string | undefined = 'isp-a';
  const world: Calls<typeof eventsWorld> = {
    siteOf: async (ask) => {
      asked.push(ask);
      return site === undefined ? {} : { site };
    },
    nodes: async ({ ids }) => {
      asked.push(ids);
      return {
        nodes: ids.flatMap((id) =>
          id === 'origin' ? [{ id }] : id.startsWith('box') ? [{ id, site: 'isp-a' }] : [],
        ),
      };
    },
    titleNames: async ({ bundles }) => ({ names: bundles.map((bundle) => ({ bundle, name: 'A film' })) }),
  };
  const known = new KnownWorld({ world, clientsMax: 2, clock });
  t.equal(await known.siteOf('192.0.2.1'), 'isp-a');
  site = undefined;
  t.equal(await known.siteOf('192.0.2.1'), 'isp-a');
  t.equal(await known.siteOf('192.0.2.2'), undefined);
  t.strictSame(asked.splice(0), [{ client: '192.0.2.1' }, { client: '192.0.2.2' }]);
  const found = [
    ['box-1', { site: 'isp-a' }],
    ['origin', { site: undefined }],
  ];
  t.strictSame([...(await known.nodes(['box-1', 'origin', 'made-up']))], found);
  t.strictSame([...(await known.nodes(['box-1', 'origin', 'made-up', 'box-1']))], found);
  t.strictSame(asked.splice(0), [['box-1', 'origin', 'made-up']], 'also after what is none');
  await clock.advance(60_001);
  t.equal(await known.siteOf('192.0.2.1'), undefined);
  await known.nodes(['made-up']);
  t.strictSame(asked, [{ client: '192.0.2.1' }, ['made-up']]);
  t.strictSame([...(await known.titleNames([film]))], [[film, 'A film']]);
});
