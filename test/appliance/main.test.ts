import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { chunkSizeBytes } from '../../common/core/chunk-tree.ts';

import { askBox, boxArgv, startBox, type BoxProcess } from '../support/appliance/box-process.ts';
import { seededBytes, testBundle, testFile, testToken, type TestFile } from '../support/appliance/content.ts';
import { ControlDouble } from '../support/appliance/control-double.ts';
import { startSource } from '../support/appliance/fill-source.ts';
import { openSocket, until } from '../support/appliance/raw-http.ts';
import { temporaryDirectory } from '../support/appliance/serving-box.ts';
import { childrenOf, isAlive } from '../support/appliance/serving-pool.ts';

interface World {
  control: ControlDouble;
  directory: string;
  film: TestFile;
  bundle: TestFile;
  /** What the box is wanted to hold. */
  files: { file: string; ext: string; sizeBytes: number; bundle: string }[];
}

async function world(test: Test, sizeBytes = 3_000_000): Promise<World> {
  const control = new ControlDouble();
  await control.start();
  test.teardown(() => control.stop());
  const film = testFile(seededBytes(sizeBytes, 7));
  const bundle = testBundle([film]);
  const files = [bundle, film].map(({ file, ext, bytes }) => ({
    file,
    ext,
    sizeBytes: bytes.length,
    bundle: bundle.file,
  }));
  return { control, directory: await temporaryDirectory(test), film, bundle, files };
}

/** An origin with the world's files among its blobs, and the way to it. */
async function startOrigin(test: Test, { control, directory, film, bundle }: World): Promise<BoxProcess> {
  const { openBlobs } = await import('../../common/adapters/blobs/open.ts');
  const blobs = await openBlobs(`file://${join(directory, 'blobs')}`);
  for (const { file, bytes, descriptor } of [film, bundle]) {
    await blobs.write(`files/${file}`, one(bytes));
    await blobs.write(`files/${file}.chunks`, one(descriptor));
  }
  await blobs.close();
  const origin = await startBox(test, [
    ...[
      '--origin',
      '--blobs-url',
      `file://${join(directory, 'blobs')}`,
      '--data-dir',
      join(directory, 'origin'),
    ],
    ...['--control-url', control.url, '--enrolment-code', control.code('origin', 'origin'), '--port', '0'],
  ]);
  const base = `${origin.url}/v1/${testToken(control.keys.tokens, { scope: 'fill', appliance: 'box' })}/`;
  control.waysOfAll = [{ kind: 'origin', node: 'origin', base, waitMs: 0 }];
  return origin;
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes);
}

/** Each name in a directory, when it was last changed, and its text. */
async function contentsOf(directory: string): Promise<unknown> {
  const names = await readdir(directory, { recursive: true });
  return Promise.all(
    ['.', ...names.sort()].map(async (name) => {
      const path = join(directory, name);
      const facts = await stat(path);
      return { name, changedMs: facts.mtimeMs, text: facts.isFile() ? await readFile(path, 'utf8') : '' };
    }),
  );
}

function holds(control: ControlDouble, box: BoxProcess, file: string): boolean {
  return control.heartbeats.some(({ url, holdings }) => url === box.url && holdings.added.includes(file));
}

void t.test(
  'a box enrols, is filled from an origin, serves, is revoked, survives without control, and drains',
  async (test) => {
    const here = await world(test);
    const { control, film, bundle, files } = here;
    const origin = await startOrigin(test, here);
    await writeFile(
      join(here.directory, 'routes.json'),
      '[{"prefix":"192.0.2.0/24","asPathLength":1,"class":"embedded"}]',
    );
    const routes = [
      '--routes-file',
      join(here.directory, 'routes.json'),
      '--place-latitude',
      '52.5',
      '--place-longitude',
      '13.4',
    ];
    const box = await startBox(test, await boxArgv(here, ...routes));
    await control.setManifest('box', 1, { files });
    await until(() => holds(control, box, film.file) && holds(control, box, bundle.file), 30_000);

    const first = control.heartbeats.find(({ url }) => url === box.url);
    await until(() => control.routeTables.has('box'));
    test.same(control.routesOf('box'), [
      { prefix: '192.0.2.0/24', asPathLength: 1, med: 0, class: 'embedded' },
    ]);
    test.same(first?.place, { latitude: 52.5, longitude: 13.4 });
    test.same(first?.addresses, ['127.0.0.1']);
    test.equal(first?.holdings.full, true);
    await until(() => control.outcomes.length === 2);
    // Both are fetched at a time; either may be there first.
    for (const { file, bytes } of [bundle, film]) {
      test.match(
        control.outcomes.find((outcome) => outcome.file === file),
        { outcome: 'held', bytesBySource: [{ kind: 'origin', node: 'origin', bytes: bytes.length }] },
      );
    }
    await until(() => control.last(origin.url) !== undefined);
    test.same(control.last(origin.url)?.holdings.added, [], 'an origin lists nothing: it holds everything');

    const session = '0123456789abcdef'.repeat(2);
    const token = testToken(control.keys.tokens, { bundle: bundle.file, session });
    const path = `/v1/${token}/${film.file}.mp4`;
    const answer = await askBox(box.url + path);
    test.ok(Buffer.from(await answer.arrayBuffer()).equals(film.bytes));
    const fromOrigin = await fetch(origin.url + path, { headers: { range: 'bytes=1000-2000000' } });
    test.ok(Buffer.from(await fromOrigin.arrayBuffer()).equals(film.bytes.subarray(1000, 2_000_001)));
    await until(() => control.playedBytes('box') === film.bytes.length, 30_000);
    await until(() => control.playedBytes('origin') === 1_999_001, 30_000);
    const told = control.served.filter(({ nodeId }) => nodeId === 'box').map(({ report }) => report.body);
    test.equal(
      told.reduce((sum, { filledBytes }) => sum + filledBytes, 0),
      film.bytes.length + bundle.bytes.length,
      'what it took to fill it',
    );

    await control.setRevocations(1, { sessions: [session] });
    await until(async () => (await askBox(box.url + path, { method: 'HEAD' })).status === 403);
    await until(async () => (await fetch(origin.url + path, { method: 'HEAD' })).status === 403);

    await control.stop();
    const other = testToken(control.keys.tokens, { bundle: bundle.file });
    const alone = await askBox(`${box.url}/v1/${other}/${film.file}.mp4`);
    test.ok(Buffer.from(await alone.arrayBuffer()).equals(film.bytes), 'it serves with no control plane');
    await control.start();
    const count = control.heartbeats.length;
    await until(() => control.heartbeats.length > count + 1, 30_000);

    control.drainWanted = true;
    await until(() => control.last(box.url)?.state === 'draining', 30_000);
    const fresh = testToken(control.keys.tokens, { bundle: bundle.file });
    test.equal((await askBox(`${box.url}/v1/${fresh}/${film.file}.mp4`)).status, 429);
    test.equal((await askBox(`${box.url}/v1/${other}/${film.file}.mp4`, { method: 'HEAD' })).status, 200);
    test.match(await (await fetch(`${box.url}/healthz`)).json(), { status: 'draining', name: 'box' });
    test.match(
      await (await fetch(`${box.url}/metrics`)).text(),
      /nearcast_sent_bytes_total{scope="play"} \d+/,
    );
    await until(
      () => control.last(box.url)?.drainEtaMs === undefined && control.last(box.url)?.liveSessions === 2,
    );
    test.equal(await box.kill('SIGTERM'), 0);
    const said = [...box.lines, ...origin.lines].join('\n');
    for (const secret of [token, other, fresh])
      test.notOk(said.includes(secret.slice(20, 60)), 'no token in the log');
  },
);

void t.test(
  'a start without the control plane serves what is held, and revocations hold over it',
  async (test) => {
    const here = await world(test);
    const { control, film, bundle, files } = here;
    await startOrigin(test, here);
    // And without workers: the main process serves.
    const argv = await boxArgv(here, '--workers', '0');
    const box = await startBox(test, argv);
    await control.setManifest('box', 1, { files });
    const session = 'ab'.repeat(16);
    await control.setRevocations(3, { sessions: [session] });
    await until(
      () => holds(control, box, film.file) && control.last(box.url)?.revocationsSequence === 3,
      30_000,
    );
    await box.kill('SIGKILL');
    await control.stop();
    const again = await startBox(test, argv);
    const get = async (token: string) =>
      (await askBox(`${again.url}/v1/${token}/${film.file}.mp4`, { method: 'HEAD' })).status;
    test.equal(await get(testToken(control.keys.tokens, { bundle: bundle.file })), 200);
    test.equal(await get(testToken(control.keys.tokens, { bundle: bundle.file, session })), 403);
    test.equal(await again.kill('SIGTERM'), 0);
  },
);

void t.test('its processes go with it: after what is in flight, also when it is killed', async (test) => {
  const here = await world(test, 12_000_000);
  const { control, film, bundle, files } = here;
  await startOrigin(test, here);
  const argv = await boxArgv(here, '--workers', '2');
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const box = await startBox(test, argv);
    await control.setManifest('box', 1, { files });
    const path = `/v1/${testToken(control.keys.tokens, { bundle: bundle.file })}/${film.file}.mp4`;
    await until(async () => (await askBox(box.url + path, { method: 'HEAD' })).status === 200, 30_000);
    const processes = childrenOf(box.pid);
    test.equal(processes.length, 3, 'two that serve, and the one of its disk');
    test.equal(box.lines.filter((line) => line.includes('"msg":"ready"')).length, 1, 'the box is ready once');
    const socket = await openSocket(Number(new URL(box.url).port));
    socket.write(`GET ${path} HTTP/1.1\r\nhost: box\r\n\r\n`);
    const parts: Buffer[] = [];
    await once(socket, 'readable');
    const ended = box.kill(signal);
    socket.on('data', (part: Buffer) => parts.push(part));
    await once(socket, 'end');
    const all = Buffer.concat(parts);
    test.ok(all.subarray(all.indexOf('\r\n\r\n') + 4).equals(film.bytes), `after ${signal} it gets the rest`);
    test.equal(await ended, signal === 'SIGTERM' ? 0 : signal);
    await until(async () => !(await Promise.all(processes.map(isAlive))).includes(true), 30_000);
  }
});

void t.test('killed in mid-fill, it goes on where it was and fetches nothing twice', async (test) => {
  const here = await world(test, 24 * 1024 * 1024);
  const { control, film, bundle, files } = here;
  const source = await startSource(test, { name: 'peer', files: [film, bundle] });
  const gate = Promise.withResolvers<void>();
  let pieces = 0;
  source.beforeSend = () => (++pieces > 40 ? gate.promise : Promise.resolve());
  control.waysOfAll = [source.way()];
  const argv = await boxArgv(here, '--fill-concurrency', '2');
  const box = await startBox(test, argv);
  await control.setManifest('box', 1, { files });
  // What the source has sent may still be on its way: it counts when it is on disk.
  const chunks = async (): Promise<number> => {
    const text = await (await fetch(`${box.url}/metrics`)).text();
    return Number(/^nearcast_fill_chunks_total\{outcome="verified"\} (\d+)/m.exec(text)?.[1] ?? 0);
  };
  await until(async () => pieces > 40 && (await chunks()) > 5, 30_000);
  await box.kill('SIGKILL');
  gate.resolve();
  const again = await startBox(test, argv);
  await until(() => control.outcomes.some(({ file }) => file === film.file), 30_000);
  const outcome = control.outcomes.find(({ file }) => file === film.file);
  test.equal(outcome?.outcome, 'held');
  test.ok((outcome?.resumedBytes ?? 0) >= 4 * 1024 * 1024, `${outcome?.resumedBytes} bytes were there`);
  // Not what the source was asked for: of that, a transfer that is taken over leaves the rest to the other.
  const missingBytes = film.bytes.length - (outcome?.resumedBytes ?? 0);
  test.equal(
    outcome?.chunksVerified,
    Math.ceil(missingBytes / chunkSizeBytes),
    'each missing chunk came once',
  );
  const token = testToken(control.keys.tokens, { bundle: bundle.file });
  const answer = await askBox(`${again.url}/v1/${token}/${film.file}.mp4`);
  test.ok(Buffer.from(await answer.arrayBuffer()).equals(film.bytes));
});

void t.test(
  'a bad manifest, a clock that is off and an ill control plane are reasons, not ends',
  async (test) => {
    const here = await world(test);
    const { control, files } = here;
    const box = await startBox(test, await boxArgv(here));
    const { documentTypes } = await import('../../common/contract/documents.ts');
    const { generateKey } = await import('../../common/runtime/keys.ts');
    const forged = await control.sign(documentTypes.fillManifest, 'box', {
      sequence: 2,
      body: { appliance: 'box', files, roster: [] },
      key: generateKey(),
    });
    control.clockOffsetMs = 60_000;
    control.putDocument('/v1/nodes/box/fill-manifest', 2, forged);
    await until(
      () => ['KEY_UNKNOWN', 'CLOCK_SKEW'].every((code) => control.last(box.url)?.reasons.includes(code)),
      30_000,
    );
    test.equal(control.last(box.url)?.fillManifestSequence, 0);
    control.isIll = true;
    control.clockOffsetMs = 0;
    await control.setManifest('box', 3, {});
    await until(() => control.illAnswers > 0, 30_000);
    test.equal((await fetch(`${box.url}/healthz`)).status, 200);
    control.isIll = false;
    await until(
      () => control.last(box.url)?.fillManifestSequence === 3 && control.last(box.url)?.reasons.length === 0,
      15_000,
    );
  },
);

void t.test(
  'a start that cannot succeed says why and ends with the code that says what kind of thing is wrong',
  async (test) => {
    const here = await world(test, 1000);
    const { control, directory } = here;
    const argv = await boxArgv(here);
    const box = await startBox(test, argv);
    const { port } = new URL(box.url);
    const url = ['--control-url', control.url];
    const other = ['--data-dir', join(directory, 'other')];
    const newer = join(directory, 'newer');
    await mkdir(join(newer, 'files'), { recursive: true });
    await writeFile(join(newer, 'format.json'), JSON.stringify({ kind: 'appliance', version: 9 }));
    await writeFile(join(newer, 'identity.json'), 'of another form');
    const wrongCode = control.code('other').replace(/\.[^.]+$/, `.${'A'.repeat(43)}`);
    const failures: [string[], RegExp][] = [
      [argv, /ended with 75: .*STORE_LOCKED/s],
      [
        [...url, ...other, '--enrolment-code', control.code('other'), '--port', port],
        /ended with 69: .*ADDRESS_IN_USE/s,
      ],
      [
        [...url, '--data-dir', join(directory, 'third'), '--enrolment-code', wrongCode],
        /ended with 77: .*WRONG_CONTROL_PLANE/s,
      ],
      [[...url, ...other, '--prot', '1'], /ended with 78: .*--prot is not an option; did you mean --port/s],
      [[...url, ...other, '--origin'], /ended with 78: .*--blobs-url/s],
      [
        [...url, '--data-dir', newer, '--enrolment-code', control.code('newer')],
        /ended with 78: .*STORE_NEWER.*newer has format 9, this program knows up to 1; upgrade it/s,
      ],
    ];
    const before = await contentsOf(newer);
    await Promise.all(failures.map(([args, message]) => test.rejects(startBox(test, args), { message })));
    test.same(await contentsOf(newer), before, 'what a newer version has written is not touched');
  },
);
