import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { unpackFiles } from '../../../appliance/store/packed-files.ts';
import { boxArgv, startBox } from '../../support/appliance/box-process.ts';
import { testToken } from '../../support/appliance/content.ts';
import { ControlDouble } from '../../support/appliance/control-double.ts';
import { startSource } from '../../support/appliance/fill-source.ts';
import { filmOf, mib } from '../../support/appliance/pulling-box.ts';
import { rawGet, until } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';
import { childrenOf, isAlive } from '../../support/appliance/serving-pool.ts';

async function world(test: Test, miss?: 'fetch' | 'refuse') {
  const control = new ControlDouble();
  await control.start();
  test.teardown(() => control.stop());
  const directory = await temporaryDirectory(test);
  const { film, bundle } = filmOf(12 * mib, 1);
  const source = await startSource(test, { name: 'origin', files: [film, bundle] });
  control.waysOfAll = [source.way('origin')];
  const argv = await boxArgv({ control, directory }, ...(miss === undefined ? [] : ['--miss', miss]));
  const path = `/v1/${testToken(control.keys.tokens, { bundle: bundle.file })}/${film.file}.mp4`;
  return { control, film, bundle, source, argv, path, directory };
}

void t.test(
  'killed in mid-pull, it goes on where it was, and tells what it holds in the end',
  async (test) => {
    const { control, film, bundle, source, argv, path } = await world(test, 'fetch');
    await control.setManifest('box', 1, {});
    const gate = Promise.withResolvers<void>();
    source.beforeSend = (sentBytes) => (sentBytes >= 5 * mib ? gate.promise : Promise.resolve());
    // Without its master a worker has nothing to wait for: who asked is told, and not left hanging until the drain is over.
    const box = await startBox(test, [...argv, '--workers', '2', '--drain-ms', '600000']);
    const port = Number(new URL(box.url).port);
    const cut = rawGet(port, path).catch(() => undefined);
    const pulled = async (): Promise<number> => {
      const { body } = await rawGet(port, '/metrics');
      return Number(/^nearcast_pulled_bytes_total\{kind="origin"\} (\d+)/m.exec(body.toString())?.[1] ?? 0);
    };
    await until(async () => (await pulled()) >= 5 * mib);
    const workers = childrenOf(box.pid);
    await box.kill('SIGKILL');
    await cut;
    await until(async () => !(await Promise.all(workers.map(isAlive))).includes(true));
    gate.resolve();
    source.askedBytes = 0;

    const again = await startBox(test, [...argv, '--workers', '0']);
    const { status, body } = await rawGet(Number(new URL(again.url).port), path);
    test.equal(status, 200);
    test.ok(body.equals(film.bytes));
    test.equal(source.askedBytes, 7 * mib, 'only what was missing was asked for');
    const tells = (file: string): boolean =>
      control.heartbeats.some(({ url, holdings }) => url === again.url && holdings.added.includes(file));
    await until(() => tells(film.file) && tells(bundle.file));
    await until(() => control.served.some(({ report }) => report.body.filledBytes > 0));
    test.equal(await again.kill('SIGTERM'), 0);
    const said = [...box.lines, ...again.lines].join('\n');
    test.notOk(said.includes(path.slice(24, 64)), 'no token in the log');
  },
);

void t.test('a picture that is looked at stays, as a film does that is played', async (test) => {
  const { control, film, bundle, argv, directory } = await world(test, 'fetch');
  await control.setManifest('box', 1, {});
  const box = await startBox(test, [...argv, '--workers', '2']);
  const port = Number(new URL(box.url).port);
  const token = testToken(control.keys.tokens, { scope: 'picture', bundle: bundle.file });
  const look = async (): Promise<void> => {
    const { status } = await rawGet(port, `/v1/${token}/${film.file}.mp4`);
    test.equal(status, 200);
  };
  await look();
  await until(() => control.heartbeats.some(({ holdings }) => holdings.added.includes(film.file)));
  for (const _again of [1, 2, 3]) await look();
  await until(() => control.playedBytes('box') === 4 * film.bytes.length);
  test.equal(await box.kill('SIGTERM'), 0);
  const kept = JSON.parse(await readFile(join(directory, 'box', 'asked.json'), 'utf8')) as string[];
  const asked = new Map(kept.flatMap((packed) => unpackFiles(packed)));
  test.ok((asked.get(film.file) ?? 0) > 0, 'it goes after what nobody asks for');
});

void t.test('told to refuse, it refuses; told nothing, it redirects', async (test) => {
  const refusing = await world(test, 'refuse');
  const first = await startBox(test, refusing.argv);
  test.equal((await rawGet(Number(new URL(first.url).port), refusing.path)).status, 404);
  test.same(refusing.source.asked, []);
  const said = async ({ control }: typeof refusing, { url }: typeof first) => {
    await until(() => control.last(url) !== undefined);
    const { mayFetch, mayRedirect } = control.last(url) ?? {};
    return { mayFetch, mayRedirect };
  };
  test.same(await said(refusing, first), { mayFetch: undefined, mayRedirect: undefined });
  const redirecting = await world(test);
  const second = await startBox(test, redirecting.argv);
  const answer = await fetch(second.url + redirecting.path, { redirect: 'manual' });
  test.equal(answer.status, 307);
  test.ok(answer.headers.get('location')?.endsWith(redirecting.path));
  test.same(await said(redirecting, second), { mayFetch: undefined, mayRedirect: true });
});
