import t, { type Test } from 'tap';

import { seededBytes, testBundle, testFile, testToken } from '../../support/appliance/content.ts';
import { faults, startSource } from '../../support/appliance/fill-source.ts';
import { filmOf, mib, readToTheEnd, startPullingBox } from '../../support/appliance/pulling-box.ts';
import { rawGet, until } from '../../support/appliance/raw-http.ts';
import { engineKinds, type EngineKind } from '../../support/appliance/serving-box.ts';

for (const kind of engineKinds) void t.test(`the ${kind} engine`, (each) => fetching(each, kind));

async function fetching(t: Test, kind: EngineKind): Promise<void> {
  await t.test('any range first, in whole chunks, and from here the next time', async (test) => {
    const { film, bundle } = filmOf(6 * mib + 11, 1);
    const origin = await startSource(test, { name: 'origin', files: [film, bundle] });
    const box = await startPullingBox(test, { kind, ways: () => [origin.way('origin')] });
    const path = `/v1/${box.viewer(bundle)}/${film.file}.mp4`;
    const range = { range: `bytes=${3 * mib - 5}-${3 * mib + 4}` };
    const first = await rawGet(box.port, path, { headers: range });
    test.equal(first.status, 206);
    test.ok(first.body.equals(film.bytes.subarray(3 * mib - 5, 3 * mib + 5)));
    test.equal(first.headers['content-range'], `bytes ${3 * mib - 5}-${3 * mib + 4}/${film.bytes.length}`);
    test.equal(first.headers['cache-status'], 'nearcast;fwd=uri-miss');
    test.match(first.headers['server-timing'], /desc=miss/);
    test.same(origin.ranges, [`0-${bundle.bytes.length - 1}`, `${2 * mib}-${4 * mib - 1}`]);
    // The bundle is whole.
    await until(() => box.disk.held.has(bundle.file));

    const again = await rawGet(box.port, path, { headers: range });
    test.ok(again.body.equals(first.body));
    test.equal(again.headers['cache-status'], 'nearcast;hit');
    test.equal(again.headers['etag'], `"${film.file}"`);
    test.equal(again.headers['last-modified'], first.headers['last-modified']);
    test.equal(origin.ranges.length, 2, 'nothing is fetched twice');
    test.equal(
      await box.pull.count('nearcast_pulled_bytes_total{kind="origin"}'),
      2 * mib + bundle.bytes.length,
    );
    test.equal(box.pull.received(), 2 * mib + bundle.bytes.length);
    test.notOk(box.disk.held.has(film.file), 'a part of it does not count as held');
  });

  await t.test(
    'what needs no byte of it fetches none: HEAD, 304, 412, 416 and the chunk list',
    async (test) => {
      const { film, bundle } = filmOf(3 * mib, 2);
      const origin = await startSource(test, { name: 'origin', files: [film, bundle] });
      const box = await startPullingBox(test, { kind, ways: () => [origin.way('origin')] });
      const base = `/v1/${box.viewer(bundle)}/${film.file}`;
      const head = await rawGet(box.port, `${base}.mp4`, { method: 'HEAD' });
      test.equal(head.status, 200);
      test.equal(head.headers['content-length'], String(film.bytes.length));
      const ask = async (headers: Record<string, string>) =>
        (await rawGet(box.port, `${base}.mp4`, { headers })).status;
      test.equal(await ask({ 'if-none-match': `"${film.file}"` }), 304);
      test.equal(await ask({ 'if-match': '"other"' }), 412);
      test.equal(await ask({ range: `bytes=${film.bytes.length}-` }), 416);
      const list = await rawGet(box.port, `${base}.chunks`);
      test.ok(list.body.equals(film.descriptor));
      test.same(origin.asked, [bundle.file]);
    },
  );

  await t.test(
    'a whole answer leaves a held file, told to everyone, and never fetches a chunk twice',
    async (test) => {
      const { film, bundle } = filmOf(20 * mib + 7, 3);
      const origin = await startSource(test, { name: 'origin', files: [film, bundle] });
      const box = await startPullingBox(test, { kind, ways: () => [origin.way('origin')] });
      const told: string[] = [];
      box.disk.onChange((change) => told.push(`${change.kind} ${change.file}`));
      const path = `/v1/${box.viewer(bundle)}/${film.file}.mp4`;
      const answer = await fetch(box.url + path);
      test.equal(answer.status, 200);
      test.ok(Buffer.from(await answer.arrayBuffer()).equals(film.bytes));
      await until(() => box.disk.held.has(film.file));
      test.same(told, [`added ${bundle.file}`, `added ${film.file}`]);
      test.equal(origin.askedBytes, film.bytes.length + bundle.bytes.length);
      test.ok(origin.ranges.length <= 5, 'several chunks go in one request');
      const held = await rawGet(box.port, path);
      test.equal(held.headers['cache-status'], 'nearcast;hit');
      test.ok(held.body.equals(film.bytes));
      test.equal(box.disk.partial.size, 0);
    },
  );

  await t.test('viewers of one chunk wait for one request', async (test) => {
    const { film, bundle } = filmOf(2 * mib, 4);
    const origin = await startSource(test, { name: 'origin', files: [film, bundle] });
    const box = await startPullingBox(test, { kind, ways: () => [origin.way('origin')] });
    const viewers = 20;
    origin.beforeSend = () =>
      until(() => box.engine.load().liveRequests >= viewers || origin.asked.length < 2);
    const range = `bytes=${mib + 1}-${mib + 100}`;
    const answers = await Promise.all(
      Array.from({ length: viewers }, () =>
        rawGet(box.port, `/v1/${box.viewer(bundle)}/${film.file}.mp4`, { headers: { range } }),
      ),
    );
    for (const { status, body } of answers) {
      test.equal(status, 206);
      test.ok(body.equals(film.bytes.subarray(mib + 1, mib + 101)));
    }
    test.same(origin.ranges, [`0-${bundle.bytes.length - 1}`, `${mib}-${2 * mib - 1}`]);
  });

  await t.test('only what the token covers: nothing else is fetched or even asked for', async (test) => {
    const { film, bundle } = filmOf(mib, 5);
    const other = filmOf(mib, 6);
    const origin = await startSource(test, {
      name: 'origin',
      files: [film, bundle, other.film, other.bundle],
    });
    const box = await startPullingBox(test, { kind, ways: () => [origin.way('origin')] });
    const status = async (token: string, name: string) =>
      (await rawGet(box.port, `/v1/${token}/${name}`)).status;
    test.equal(await status(box.viewer(bundle), `${other.film.file}.mp4`), 403);
    test.equal(await status(box.viewer(bundle), `${'0'.repeat(64)}.mp4`), 403);
    test.equal(await status(box.viewer(bundle), `${film.file}.json`), 404, 'by its own extension only');
    const filler = testToken(box.key, { scope: 'fill', appliance: 'box-2' });
    test.equal(await status(filler, `${film.file}.mp4`), 404, 'a box never fetches for another one');
    test.equal(await status('x'.repeat(40), `${film.file}.mp4`), 403);
    box.revoked.bundles.add(bundle.file);
    test.equal(await status(box.viewer(bundle), `${film.file}.mp4`), 403);
    test.same(box.pull.asked, [bundle.file]);
    test.same(origin.asked, [bundle.file]);
  });

  await t.test('a bundle that nobody has, or that is none', async (test) => {
    const noBundle = testFile(Buffer.from('not JSON'), 'json');
    const origin = await startSource(test, { name: 'origin', files: [noBundle] });
    const box = await startPullingBox(test, { kind, ways: () => [origin.way('origin')] });
    const film = 'a'.repeat(64);
    const status = async (bundle: { file: string }) =>
      (await rawGet(box.port, `/v1/${testToken(box.key, { bundle: bundle.file })}/${film}.mp4`)).status;
    test.equal(await status({ file: 'b'.repeat(64) }), 404);
    test.equal(await status(noBundle), 502);
  });

  await t.test('an empty file is whole at once', async (test) => {
    const empty = testFile(Buffer.alloc(0), 'vtt');
    const bundle = testBundle([empty, testFile(seededBytes(10, 7))]);
    const origin = await startSource(test, { name: 'origin', files: [empty, bundle] });
    const box = await startPullingBox(test, { kind, ways: () => [origin.way('origin')] });
    const answer = await rawGet(box.port, `/v1/${box.viewer(bundle)}/${empty.file}.vtt`);
    test.equal(answer.status, 200);
    test.equal(answer.headers['content-length'], '0');
    test.ok(box.disk.held.has(empty.file));
  });
}

for (const behaviour of faults) {
  void t.test(`a source that ${behaviour}: the next one gives the viewer what is right`, async (test) => {
    const { film, bundle } = filmOf(3 * mib + 1, 8);
    const bad = await startSource(test, { name: 'bad', files: [film, bundle], behaviour });
    const good = await startSource(test, { name: 'good', files: [film, bundle] });
    const box = await startPullingBox(test, {
      kind: 'native',
      ways: () => [bad.way('peer'), good.way('origin')],
    });
    const answer = await fetch(`${box.url}/v1/${box.viewer(bundle)}/${film.file}.mp4`);
    test.equal(answer.status, 200);
    test.ok(Buffer.from(await answer.arrayBuffer()).equals(film.bytes));
    await until(() => box.disk.held.has(film.file));
  });

  void t.test(
    `a source that ${behaviour}, and no other: never a wrong answer, never a short one as whole`,
    async (test) => {
      const { film, bundle } = filmOf(3 * mib + 1, 9);
      const only = await startSource(test, { name: 'only', files: [film, bundle] });
      const box = await startPullingBox(test, { kind: 'native', ways: () => [only.way('origin')] });
      const path = `/v1/${box.viewer(bundle)}/${film.file}.mp4`;
      const start = await rawGet(box.port, path, { headers: { range: 'bytes=0-99' } });
      test.equal(start.status, 206);
      only.behaviour = behaviour;

      const none = await readToTheEnd(box.port, path, { range: `bytes=${mib}-` });
      if (behaviour === 'lies-about-chunks') {
        test.equal(none.status, 206, 'the chunk list is here already');
        return;
      }
      // The byte that it changes is in the second of the chunks that are asked for together.
      if (behaviour === 'lies')
        test.ok(none.end === 'reset' && film.bytes.subarray(mib).indexOf(none.body) === 0);
      else test.equal(none.status, 404, 'before the first byte: the player goes elsewhere at once');

      const some = await readToTheEnd(box.port, path);
      test.equal(some.status, 200);
      test.equal(some.lengthBytes, film.bytes.length);
      test.equal(some.end, 'reset', 'cut, not ended');
      test.ok(some.body.length < film.bytes.length);
      test.ok(some.body.equals(film.bytes.subarray(0, some.body.length)));
      await until(() => box.records.cut.length > 0);

      only.behaviour = 'good';
      const whole = await rawGet(box.port, path);
      test.ok(whole.body.equals(film.bytes), 'and later it is had');
    },
  );
}

void t.test('a source that dies in mid-chunk in mid-answer: the viewer does not notice', async (test) => {
  const { film, bundle } = filmOf(12 * mib, 10);
  const first = await startSource(test, { name: 'first', files: [film, bundle] });
  const second = await startSource(test, { name: 'second', files: [film, bundle] });
  const box = await startPullingBox(test, {
    kind: 'native',
    ways: () => [first.way('peer'), second.way('origin')],
  });
  first.beforeSend = async (sentBytes) => {
    if (sentBytes <= 3 * mib) return;
    await until(() => box.pull.received() >= 3 * mib);
    first.behaviour = 'resets';
  };
  const answer = await fetch(`${box.url}/v1/${box.viewer(bundle)}/${film.file}.mp4`);
  test.ok(Buffer.from(await answer.arrayBuffer()).equals(film.bytes));
  test.ok(first.askedBytes > 0 && second.askedBytes > 0);
  test.equal(second.askedBytes, 9 * mib, 'what the first one gave is not asked for again');
});

void t.test('with the control plane gone, what it said before goes on', async (test) => {
  const here = filmOf(2 * mib, 11);
  const later = filmOf(2 * mib, 12);
  const files = [here.film, here.bundle, later.film, later.bundle];
  const origin = await startSource(test, { name: 'origin', files });
  let isGone = false;
  const box = await startPullingBox(test, {
    kind: 'native',
    ways: () => (isGone ? undefined : [origin.way('origin')]),
  });
  const get = async ({ film, bundle }: typeof here) =>
    (await rawGet(box.port, `/v1/${box.viewer(bundle)}/${film.file}.mp4`)).body.equals(film.bytes);
  test.ok(await get(here));
  isGone = true;
  test.ok(await get(later), 'an origin has everything');
});

void t.test('a chunk that changes on the disk is not served, but fetched anew', async (test) => {
  const { film, bundle } = filmOf(3 * mib, 13);
  const origin = await startSource(test, { name: 'origin', files: [film, bundle] });
  const options = { kind: 'native', ways: () => [origin.way('origin')] } as const;
  const box = await startPullingBox(test, options);
  const path = `/v1/${box.viewer(bundle)}/${film.file}.mp4`;
  const range = { range: `bytes=${mib}-${mib + 9}` };
  await rawGet(box.port, path, { headers: range });
  const partial = await box.pull.store.resume(film.file);
  const { open } = await import('node:fs/promises');
  const handle = await open(partial?.paths.content ?? '', 'r+');
  await handle.write(Buffer.alloc(100), 0, 100, mib);
  await handle.close();
  // Another process reads it: what this one keeps in memory is right.
  const { createMisses } = await import('../../../appliance/pull/create-misses.ts');
  const view = createMisses({ link: box.pull.puller, held: box.disk, workers: 1 });
  const found = await view.open({ file: film.file, ext: 'mp4' }, { form: 'content', session: 'a' });
  if (found.kind !== 'content') throw new Error('it is here in part');
  const piece = await found.content.read(mib, 10);
  test.ok(Buffer.from(piece.bytes).equals(film.bytes.subarray(mib, mib + 10)));
  found.content.release();
  test.equal(origin.ranges.filter((each) => each.startsWith(`${mib}-`)).length, 2);
});
