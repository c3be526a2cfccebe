import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Events } from '../../../../common/adapters/events/port.ts';
import type { Records } from '../../../../common/adapters/records/port.ts';
import type { PlayerEvent } from '../../../../common/contract/playback.ts';
import { coded } from '../../../../common/runtime/errors.ts';
import { call, type Answer } from '../../support/call.ts';
import { boxOf, bundle, film, openLab, type EventsLab, type LabOptions } from '../../support/events-lab.ts';
import { asRole, fakeDeliveryToken } from '../../support/fake-credentials.ts';
import { fileNamed } from '../../support/sample-bundle.ts';
import { until } from '../../support/until.ts';

const session = '0123456789abcdef'.repeat(2);
const token = fakeDeliveryToken({
  scope: 'play',
  session,
  issuedAtS: 0,
  expiresAtS: 1,
  bundle: fileNamed('bundle'),
});
const player = { authorization: `Bearer ${token}` };
const viewer = asRole('viewer');

function playerEvent(id: string, more: Partial<PlayerEvent> = {}): PlayerEvent {
  return { id, timeMs: 1_767_225_600_000, type: 'progress', positionMs: 4000, ...more };
}

async function send(
  lab: EventsLab,
  events: unknown,
  headers: Record<string, string> = player,
): Promise<Answer> {
  return await call(`${lab.url}/v1/events`, { headers, json: { events } });
}

t.test('players report by viewer credential or by their session, and nothing names a viewer', async (t) => {
  const lab = await openLab(t);
  const stall = playerEvent('event-0001', { type: 'stall', stallMs: 300, pathway: 'isp-a-1' });
  t.match(await send(lab, [stall]), { status: 200, body: { accepted: 1, duplicates: 0 } });
  t.match(await send(lab, [playerEvent('event-0002')], viewer), { status: 200, body: { accepted: 1 } });
  const { events } = await lab.events.read(0);
  t.strictSame(
    events.map(({ type, data }) => [type, data]),
    [
      [
        'player',
        {
          ...{
            timeMs: stall.timeMs,
            type: 'stall',
            positionMs: 4000,
            stallMs: 300,
            pathway: 'isp-a-1',
            session,
          },
          ...{ bundle: fileNamed('bundle'), site: 'isp-a', device: 'other' },
        },
      ],
      ['player', { timeMs: stall.timeMs, type: 'progress', positionMs: 4000, device: 'other' }],
    ],
  );
  const preflight = await call(`${lab.url}/v1/events`, {
    method: 'OPTIONS',
    headers: { origin: 'http://elsewhere', 'access-control-request-method': 'POST' },
  });
  t.match(preflight, { status: 204, headers: { 'access-control-allow-origin': '*' } });
});

t.test('what is not an event is refused whole', async (t) => {
  const lab = await openLab(t);
  const many = Array.from({ length: 101 }, (_, index) => playerEvent(`event-${1000 + index}`));
  for (const events of [
    [],
    many,
    'x',
    [{ ...playerEvent('event-0001'), viewer: 'alice' }],
    [playerEvent('short')],
    [playerEvent('event-0001'), { ...playerEvent('event-0002'), type: 'hack' }],
    [{ ...playerEvent('event-0001'), positionMs: -1 }],
    [{ ...playerEvent('event-0001'), pathway: '../../etc' }],
  ]) {
    t.match(await send(lab, events), { status: 400, body: { code: 'INVALID' } });
  }
  t.match(await send(lab, [playerEvent('event-0001')], {}), {
    status: 401,
    body: { code: 'CREDENTIAL_MISSING' },
  });
  const steer = fakeDeliveryToken({ scope: 'steer', session, issuedAtS: 0, expiresAtS: 1 });
  t.match(await send(lab, [playerEvent('event-0001')], { authorization: `Bearer ${steer}` }), {
    status: 403,
  });
  t.equal((await lab.events.status()).lastOffset, 0);
});

t.test('a batch that is sent again is not counted again, over a restart too', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-events-again-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const batch = [playerEvent('event-0001'), playerEvent('event-0002')];
  const lab = await openLab(t, { directory });
  const answers = await Promise.all([send(lab, batch), send(lab, batch), send(lab, [...batch, ...batch])]);
  t.equal(
    answers.reduce((sum, { body }) => sum + Number(body['accepted']), 0),
    2,
  );
  t.match(
    await send(lab, [playerEvent('event-0001')], viewer),
    { body: { accepted: 1 } },
    'ids are the session\u2019s own',
  );
  await lab.close();
  const again = await openLab(t, { directory });
  t.match(await send(again, [...batch, playerEvent('event-0003')]), { body: { accepted: 1, duplicates: 2 } });
  t.equal((await again.events.status()).lastOffset, 4);
});

t.test('a batch that could not be written may be sent again', async (t) => {
  let fails = true;
  const wrap: LabOptions['wrap'] = ({ events, records }) => ({
    records,
    events: Object.assign(Object.create(events) as Events, {
      append: (batch: Parameters<Events['append']>[0]) =>
        fails ? Promise.reject(coded('DISK_FULL')) : events.append(batch),
      status: () => events.status(),
      read: (...read: Parameters<Events['read']>) => events.read(...read),
      wait: (...wait: Parameters<Events['wait']>) => events.wait(...wait),
      commit: (...commit: Parameters<Events['commit']>) => events.commit(...commit),
    }),
  });
  const lab = await openLab(t, { wrap });
  t.match(await send(lab, [playerEvent('event-0001')]), { status: 507, body: { code: 'DISK_FULL' } });
  await t.rejects(boxOf(lab, 'isp-a-1').serve(1, { [film]: 2000 }), { code: 'DISK_FULL' });
  fails = false;
  t.match(
    await boxOf(lab, 'isp-a-1').serve(1, { [film]: 2000 }),
    { outcome: 'taken' },
    'the box tries again',
  );
  t.match(await send(lab, [playerEvent('event-0001')]), { body: { accepted: 1, duplicates: 0 } });
  await lab.flush();
  t.equal(lab.popularity.popularityOf(bundle), 1, 'counted once');
});

t.test('those who plan hear of changes, a few seconds after the first', async (t) => {
  const lab = await openLab(t);
  let told = 0;
  lab.popularity.onPopularityChange(() => told++);
  for (const sequence of [1, 2, 3]) {
    await boxOf(lab, 'isp-a-1').serve(sequence, { [film]: 10 });
    await lab.flush();
  }
  t.equal(told, 0);
  await lab.clock.advance(5000);
  t.equal(told, 1);
  await lab.clock.advance(60_000);
  t.equal(told, 1, 'nothing changed since');
});

t.test('reports are learned from without being asked, and after the next start', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-events-loop-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const lab = await openLab(t, { directory });
  await boxOf(lab, 'isp-a-1').serve(1, { [film]: 2000 });
  await until(
    async () => {
      await lab.clock.advance(1000);
      return lab.popularity.popularityOf(bundle);
    },
    (popularity) => popularity > 0,
  );
  await boxOf(lab, 'isp-a-1').serve(2, { [film]: 2000 });
  await lab.close();
  const again = await openLab(t, { directory });
  await again.flush();
  t.ok(Math.abs(again.popularity.popularityOf(bundle) - 2) < 0.01);
});

t.test('an event counts once, wherever the process dies', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-events-dies-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const first = await openLab(t, { directory, still: true });
  await boxOf(first, 'isp-a-1').serve(1, { [film]: 2000 });
  await first.flush();
  await first.close();
  // Dies after the commit of what it learned and before that of its offset in the log.
  const second = await openLab(t, {
    directory,
    still: true,
    wrap: ({ events, records }) => ({ events: withoutCommit(events), records }),
  });
  await boxOf(second, 'isp-a-1').serve(2, { [film]: 1000 });
  await t.rejects(second.flush(), { code: 'STORE_UNAVAILABLE' });
  await second.close();
  // Dies before it: nothing is learned.
  const third = await openLab(t, {
    directory,
    still: true,
    wrap: ({ events, records }) => ({ events, records: withoutRecords(records) }),
  });
  t.equal(third.popularity.popularityOf(bundle), 1.5);
  await boxOf(third, 'isp-a-1').serve(3, { [film]: 1000 });
  await t.rejects(third.flush(), { code: 'STORE_UNAVAILABLE' });
  await third.close();
  const fourth = await openLab(t, { directory, still: true });
  await fourth.flush();
  t.equal(fourth.popularity.popularityOf(bundle), 2);
});

/** A log whose offsets cannot be committed after those of the start. */
function withoutCommit(events: Events): Events {
  let commits = 0;
  return {
    append: (batch) => events.append(batch),
    read: (...read) => events.read(...read),
    wait: (...wait) => events.wait(...wait),
    committed: (name) => events.committed(name),
    commit: (name, offset) =>
      commits++ < 3 ? events.commit(name, offset) : Promise.reject(coded('STORE_UNAVAILABLE')),
    forget: (name) => events.forget(name),
    status: () => events.status(),
    close: () => events.close(),
  };
}

function withoutRecords(records: Records): Records {
  return {
    get: (...get) => records.get(...get),
    put: (...put) => records.put(...put),
    remove: (...remove) => records.remove(...remove),
    scan: (...scan) => records.scan(...scan),
    commit: () => Promise.reject(coded('STORE_UNAVAILABLE')),
    copyTo: (...copy) => records.copyTo(...copy),
    purge: () => records.purge(),
    close: () => records.close(),
  };
}

t.test('bounds: remembered ids, the log itself', async (t) => {
  const lab = await openLab(t, {
    still: true,
    options: { knownIdsMax: 2, clientEventsBurst: 10_000 },
    log: { segmentBytes: 64 * 1024, retainBytes: 128 * 1024, limitBytes: 256 * 1024 },
  });
  const detail = 'x'.repeat(500);
  for (let round = 0; round < 30; round++) {
    const batch = Array.from({ length: 100 }, (_, index) =>
      playerEvent(`event-${round}-${index}`, { detail }),
    );
    t.equal((await send(lab, batch)).body['accepted'], 100);
    await lab.flush();
  }
  const { firstOffset, sizeBytes } = await lab.events.status();
  t.ok(firstOffset > 1 && sizeBytes < 256 * 1024, `the log is cut at its beginning: ${sizeBytes} bytes`);
});
