import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';
import { generateKey } from '../../../../common/runtime/keys.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { eventsDefaults } from '../../../../control-plane/services/events/ports.ts';
import { signServedReport } from '../../../support/served-report.ts';
import { boxKeys, boxOf, bundle, film, openLab, sound } from '../../support/events-lab.ts';
import { fileNamed } from '../../support/sample-bundle.ts';

t.test('served bytes become popularity, and what a box has saved', async (t) => {
  const lab = await openLab(t, { still: true });
  await boxOf(lab, 'isp-a-1').serve(1, { [film]: 1000 }, { filledBytes: 300 });
  await boxOf(lab, 'isp-b-1').serve(1, { [film]: 1000 });
  await lab.flush();
  t.equal(lab.popularity.popularityOf(bundle), 1);
  await boxOf(lab, 'isp-a-1').serve(2, { [film]: 500, [sound]: 500 });
  await lab.flush();
  t.equal(lab.popularity.popularityOf(bundle), 1.5, 'each byte is told once');
  t.match(lab.popularity.servedBy('isp-a-1'), { playBytes: 2000, filledBytes: 300, missingReports: 0 });
  t.equal(lab.popularity.servedBy('elsewhere'), undefined);
  await lab.clock.advance(eventsDefaults.halfLifeMs);
  t.equal(lab.popularity.popularityOf(bundle), 0.75);
  t.equal(lab.popularity.popularityOf({ files: [{ file: fileNamed('other'), sizeBytes: 10 }] }), 0);
});

t.test('each site has a taste of its own, and a share in that of all', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-served-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const lab = await openLab(t, { directory, still: true });
  const other = { file: fileNamed('other'), sizeBytes: 1000 };
  const popularity = ({ popularity: learned }: typeof lab, site: string) =>
    [...bundle.files, other].map((file) => learned.popularityAt(site).of(file));
  t.strictSame(popularity(lab, 'isp-a'), [0, 0, 0]);
  await boxOf(lab, 'origin').serve(1, { [other.file]: 8000 });
  await lab.flush();
  t.strictSame(popularity(lab, 'isp-a'), [0, 0, 4], 'only the origin has served: by everybody’s taste');
  await boxOf(lab, 'isp-a-1').serve(1, { [film]: 3000 });
  await boxOf(lab, 'isp-b-1').serve(1, { [sound]: 1000 });
  await lab.flush();
  t.strictSame(popularity(lab, 'isp-a'), [2.625, 0.375, 3], 'three quarters of the viewers');
  t.strictSame(popularity(lab, 'isp-b'), [0.375, 0.625, 1]);
  t.strictSame(popularity(lab, 'new').map(Math.sign), [1, 1, 1], 'a new site begins with what all want');
  t.equal(lab.popularity.popularityAt('isp-a').of({ file: film, sizeBytes: 0 }), 0);
  t.equal(lab.popularity.popularityOf(bundle), 2);
  t.equal(lab.popularity.popularityAt('isp-a').siteShare, 0.75);
  await lab.close();
  const again = await openLab(t, { directory, clock: lab.clock, still: true });
  t.strictSame(popularity(again, 'isp-a'), [2.625, 0.375, 3], 'and so after the next start');
});

t.test('what was learned before sites were told counts everywhere', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-served-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const records = await openSqliteRecords(join(directory, 'events.db'));
  await records.put('popularity-weights', film, { bytes: 4000, atMs: createManualClock().nowMs() });
  await records.close();
  const lab = await openLab(t, { directory, clock: createManualClock(), still: true });
  t.equal(lab.popularity.popularityOf(bundle), 2);
  t.equal(lab.popularity.popularityAt('isp-a').of({ file: film, sizeBytes: 1000 }), 2);
});

t.test('what is looked at as a picture is no play, and popular apart', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-served-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const lab = await openLab(t, { directory, still: true });
  const poster = { file: fileNamed('poster.jpg'), sizeBytes: 10 };
  const of = ({ popularity }: typeof lab) => {
    const { of: played, seen, siteShare } = popularity.popularityAt('isp-a');
    const video = { file: film, sizeBytes: 1000 };
    return { film: played(video), share: siteShare, poster: [played(poster), seen(poster)] };
  };
  await boxOf(lab, 'isp-a-1').serve(1, { [film]: 3000 });
  await boxOf(lab, 'isp-b-1').serve(1, { [film]: 1000 });
  await lab.flush();
  const before = of(lab);
  t.equal(before.share, 0.75);
  const looks = { [poster.file]: 9000, [film]: 500 };
  await boxOf(lab, 'isp-b-1').serve(2, looks, { pictures: looks });
  await lab.flush();
  t.equal(lab.popularity.popularityOf(bundle), 2, 'a title is as popular as it is played');
  t.equal(lab.popularity.popularityOf({ files: [poster] }), 0);
  const after = of(lab);
  t.match(after, { film: before.film, share: 0.75 }, 'a page of posters is no taste in films');
  t.equal(after.poster[0], 0);
  t.ok((after.poster[1] ?? 0) > 0, 'where it was not looked at too');
  t.match(lab.popularity.servedBy('isp-b-1'), { playBytes: 10_500, pictureBytes: 9500 });
  await boxOf(lab, 'isp-b-1').serve(3, { [poster.file]: 400 });
  await lab.flush();
  const mixed = of(lab);
  t.ok((mixed.poster[0] ?? 0) > 0, 'a box of before does not tell them apart');
  await lab.close();
  const again = await openLab(t, { directory, clock: lab.clock, still: true });
  t.strictSame(of(again), mixed, 'and so after the next start');
});

t.test('a repeated report is known and changes nothing; a missing one is noticed', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-served-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const lab = await openLab(t, { directory, still: true });
  const jws = await signServedReport(boxKeys['isp-a-1'], {
    sequence: 1,
    played: { [film]: 2000 },
    nowMs: lab.clock.nowMs(),
  });
  const answers = await Promise.all([1, 2, 3].map(() => lab.popularity.takeServed('isp-a-1', jws)));
  t.strictSame(answers.map(({ outcome }) => outcome).toSorted(), ['known', 'known', 'taken']);
  t.strictSame(await boxOf(lab, 'isp-a-1').serve(5, { [film]: 2000 }), { outcome: 'taken', sequence: 5 });
  t.strictSame(await boxOf(lab, 'isp-a-1').serve(3, { [film]: 9000 }), { outcome: 'known', sequence: 5 });
  await lab.flush();
  t.equal(lab.popularity.popularityOf(bundle), 2);
  t.match(lab.popularity.servedBy('isp-a-1'), { playBytes: 4000, missingReports: 3 });

  await boxOf(lab, 'isp-a-1').serve(6, { [film]: 2000 });
  await lab.close();
  const again = await openLab(t, { directory, clock: lab.clock, still: true });
  t.match(
    await boxOf(again, 'isp-a-1').serve(6, { [film]: 2000 }),
    { outcome: 'taken' },
    'the answer was lost, and nobody has read the log yet',
  );
  await again.flush();
  t.equal(again.popularity.popularityOf(bundle), 3, 'it stands in the log twice and counts once');
  t.match(await boxOf(again, 'isp-a-1').serve(6, { [film]: 2000 }), { outcome: 'known' });
});

t.test('what a box tells late counts, though the log is another one since', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-served-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const lab = await openLab(t, { directory, still: true });
  await boxOf(lab, 'isp-a-1').serve(1, { [film]: 2000 });
  await lab.flush();
  t.equal(lab.popularity.popularityOf(bundle), 1);
  await lab.close();
  await rm(join(directory, 'events'), { recursive: true });
  await lab.clock.advance(60_000);
  const again = await openLab(t, { directory, clock: lab.clock, still: true });
  const nowMs = again.clock.nowMs() - 120_000;
  const jws = await signServedReport(boxKeys['isp-b-1'], { sequence: 1, played: { [film]: 2000 }, nowMs });
  t.match(await again.popularity.takeServed('isp-b-1', jws), { outcome: 'taken' });
  await again.flush();
  t.match(again.popularity.servedBy('isp-b-1'), { playBytes: 2000 });
});

t.test('only the box itself says what it has served', async (t) => {
  const lab = await openLab(t, { still: true });
  const told = { [film]: 2000 };
  await t.rejects(boxOf(lab, 'isp-a-1').serve(1, told, { by: generateKey() }), { code: 'KEY_UNKNOWN' });
  await t.rejects(boxOf(lab, 'isp-a-1').serve(1, told, { by: boxKeys['isp-b-1'] }), { code: 'KEY_UNKNOWN' });
  await t.rejects(boxOf(lab, 'isp-a-1').serve(1, told, { audience: 'isp-b-1' }), {
    code: 'DOCUMENT_FOREIGN',
  });
  const jws = await signServedReport(boxKeys['isp-a-1'], {
    sequence: 1,
    played: told,
    nowMs: lab.clock.nowMs(),
  });
  const [head = '', payload = '', signature = ''] = jws.split('.');
  const body = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sequence: number };
  const forged = Buffer.from(JSON.stringify({ ...body, sequence: 2 })).toString('base64url');
  for (const bad of [`${head}.${forged}.${signature}`, `${head}.${payload}.`, 'x', `${head}.${payload}`]) {
    await t.rejects(lab.popularity.takeServed('isp-a-1', bad), { code: 'SIGNATURE_INVALID' });
  }
  await lab.clock.advance(2 * 3_600_000);
  await t.rejects(lab.popularity.takeServed('isp-a-1', jws), { code: 'DOCUMENT_EXPIRED' });
  await lab.flush();
  t.equal(lab.popularity.popularityOf(bundle), 0);
});

t.test('a box that is enrolled anew counts from the beginning', async (t) => {
  const lab = await openLab(t, { still: true });
  await boxOf(lab, 'isp-b-1').serve(7, { [film]: 2000 });
  await lab.flush();
  const before = boxKeys['isp-b-1'];
  boxKeys['isp-b-1'] = generateKey();
  t.teardown(() => {
    boxKeys['isp-b-1'] = before;
  });
  await t.rejects(boxOf(lab, 'isp-b-1').serve(8, { [film]: 2000 }, { by: before }), { code: 'KEY_UNKNOWN' });
  t.match(await boxOf(lab, 'isp-b-1').serve(1, { [film]: 500 }), { outcome: 'taken', sequence: 1 });
  await lab.flush();
  t.match(lab.popularity.servedBy('isp-b-1'), { playBytes: 500, missingReports: 0 });
});

t.test('more than one step of files in one report', async (t) => {
  const lab = await openLab(t, { still: true });
  const files = Array.from({ length: 9500 }, (_, index) => fileNamed(`file ${index}`));
  await boxOf(lab, 'isp-a-1').serve(1, Object.fromEntries(files.map((file) => [file, 100])), {
    filledBytes: 7,
  });
  await lab.flush();
  const sized = { files: files.map((file) => ({ file, sizeBytes: 100 })) };
  t.match(lab.popularity.servedBy('isp-a-1'), { playBytes: 950_000, filledBytes: 7 });
  t.ok(Math.abs(lab.popularity.popularityOf(sized) - 1) < 1e-9);
});

t.test('what a box says of files without end is bounded', async (t) => {
  const lab = await openLab(t, { options: { weightsMax: 2 } });
  const [a, b, c] = ['a', 'b', 'c'].map((text) => fileNamed(text)) as [string, string, string];
  await boxOf(lab, 'isp-a-1').serve(1, { [a]: 100, [b]: 100, [c]: 100 });
  await lab.flush();
  const popularity = (file: string) => lab.popularity.popularityOf({ files: [{ file, sizeBytes: 100 }] });
  t.strictSame([a, b, c].map(popularity), [1, 1, 0]);
  await boxOf(lab, 'isp-a-1').serve(2, { [a]: 200, [c]: 100 });
  await lab.flush();
  t.strictSame([a, b, c].map(popularity), [3, 1, 0], 'what is known goes on');
  await boxOf(lab, 'isp-a-1').serve(3, { [c]: 100 }, { pictures: { [c]: 100 } });
  await lab.flush();
  const { seen } = lab.popularity.popularityAt('isp-a');
  t.equal(seen({ file: c, sizeBytes: 100 }), 0, 'pictures are among them');
});
