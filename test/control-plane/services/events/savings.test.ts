import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { call } from '../../support/call.ts';
import { boxOf, film, openLab, sound, type EventsLab } from '../../support/events-lab.ts';
import { asRole } from '../../support/fake-credentials.ts';
import { fileNamed } from '../../support/sample-bundle.ts';

const hourMs = 3_600_000;
const report = '/v1/reports/savings';

t.test('what a site’s boxes have spared, from the reports that they signed', async (t) => {
  const lab = await openLab(t, { still: true });
  const ask = async (query: string, role: 'operator' | 'viewer' = 'operator') => {
    await lab.flush();
    return call(`${lab.url}${report}${query}`, { headers: asRole(role) });
  };
  // In the night it fills, in the evening it plays.
  await boxOf(lab, 'isp-a-1').serve(1, {}, { filledBytes: 3600 });
  await lab.clock.advance(hourMs);
  await boxOf(lab, 'isp-a-1').serve(2, { [film]: 1000 });
  await lab.clock.advance(18 * hourMs);
  await boxOf(lab, 'isp-a-1').serve(4, { [film]: 5000, [sound]: 1200 });
  await boxOf(lab, 'isp-b-1').serve(1, { [film]: 99 });
  await boxOf(lab, 'origin').serve(1, { [film]: 77 });
  const { body } = await ask('?site=isp-a');
  t.match(body, {
    ...{ site: 'isp-a', playBytes: 7200, fillBytes: 0, filledBytes: 3600, reports: 3, missingReports: 1 },
    ...{ offload: 0.5, heldBytes: 1000 },
    ...{ peakPlayBytesPerSecond: 6200 / 3600, peakFilledBytesPerSecond: 1 },
    boxes: [{ id: 'isp-a-1', playBytes: 7200, filledBytes: 3600, reports: 3, missingReports: 1 }],
  });
  t.equal(body['offloadMost'], 1 - 2200 / 7200, 'each file had to come in once');
  t.equal(body['peakAvoidedBytesPerSecond'], 6200 / 3600 - 1);
  t.equal(body['churnPerDay'], 3600 / 7 / 1000);
  await lab.clock.advance(24 * hourMs);
  const { body: today } = await ask('?site=isp-a&days=1');
  t.match(today, { playBytes: 0, reports: 0, boxes: [] });
  t.notOk('offload' in today, 'nothing was played');
  t.match((await ask('?site=isp-a&days=2')).body, { playBytes: 7200 });
  t.match(await ask('?site=nowhere'), { status: 404 });
  t.match(await ask(''), { status: 400, body: { code: 'INVALID' } });
  t.match(await ask('?site=isp-a', 'viewer'), { status: 403 });
});

t.test('pictures are of the bytes to viewers, in a column of their own', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-savings-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const lab = await openLab(t, { directory, still: true });
  const ask = async (of: EventsLab) => {
    await of.flush();
    return (await call(`${of.url}${report}?site=isp-a`, { headers: asRole('operator') })).body;
  };
  const picture = fileNamed('poster.jpg');
  await boxOf(lab, 'isp-a-1').serve(1, { [film]: 900 }, { filledBytes: 500 });
  t.match(
    await ask(lab),
    { playBytes: 900, pictureBytes: 0, boxes: [{ pictureBytes: 0 }] },
    'of a box of before',
  );
  t.notOk('pictureBytes' in (lab.popularity.servedBy('isp-a-1') ?? {}));
  await boxOf(lab, 'isp-a-1').serve(2, { [film]: 10, [picture]: 90 }, { pictures: { [picture]: 90 } });
  const told = { playBytes: 1000, pictureBytes: 90, offload: 0.5 };
  t.match(await ask(lab), { ...told, boxes: [{ playBytes: 1000, pictureBytes: 90 }] });
  t.match(lab.popularity.servedBy('isp-a-1'), { playBytes: 1000, pictureBytes: 90 });
  await lab.close();
  const again = await openLab(t, { directory, clock: lab.clock, still: true });
  t.match(await ask(again), told, 'and so after the next start');
  await boxOf(again, 'isp-a-1').serve(3, { [picture]: 20 }, { pictures: { [picture]: 77 } });
  t.match(await ask(again), { playBytes: 1020, pictureBytes: 110 }, 'a part is not more than the whole');
});

t.test('what was counted before pictures were told apart goes on', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-savings-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const clock = createManualClock();
  const day = String(Math.floor(clock.nowMs() / 86_400_000)).padStart(8, '0');
  const hours = (bytes: number) => Array.from({ length: 24 }, (_, hour) => (hour === 0 ? bytes : 0));
  const records = await openSqliteRecords(join(directory, 'events.db'));
  await records.put('savings-days', `isp-a/${day}/isp-a-1`, {
    ...{ playBytes: hours(1000), filledBytes: hours(100), fillBytes: 0, newBytes: 50 },
    ...{ reports: 2, missingReports: 0 },
  });
  await records.close();
  const lab = await openLab(t, { directory, clock, still: true });
  await boxOf(lab, 'isp-a-1').serve(1, { [film]: 10 }, { pictures: { [film]: 4 } });
  await lab.flush();
  const { body } = await call(`${lab.url}${report}?site=isp-a`, { headers: asRole('operator') });
  t.match(body, { playBytes: 1010, pictureBytes: 4, filledBytes: 100, reports: 3 });
});

t.test('a report counts once, though it stands in the log twice', async (t) => {
  const lab = await openLab(t, { still: true });
  await boxOf(lab, 'isp-a-1').serve(1, { [film]: 1000 });
  const { events } = await lab.events.read(0);
  await lab.events.append(events.map(({ type, timeMs, data }) => ({ type, timeMs, data: data as object })));
  await lab.flush();
  const { body } = await call(`${lab.url}${report}?site=isp-a`, { headers: asRole('operator') });
  t.match(body, { playBytes: 1000, reports: 1, missingReports: 0 });
});
