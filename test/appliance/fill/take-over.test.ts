import t from 'tap';

import { seededBytes, testFile } from '../../support/appliance/content.ts';
import { startSource } from '../../support/appliance/fill-source.ts';
import { startFilling } from '../../support/appliance/filling-box.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory, testDisk } from '../../support/appliance/serving-box.ts';

const mib = 2 ** 20;

async function emptyDisk(test: Parameters<typeof temporaryDirectory>[0]) {
  const { disk } = await testDisk(await temporaryDirectory(test));
  test.teardown(() => disk.close());
  return disk;
}

void t.test(
  'what a slow source holds is brought by a fast one: the file is whole while the slow one has not sent its part',
  async (test) => {
    const disk = await emptyDisk(test);
    const [film, next] = [testFile(seededBytes(24 * mib + 5, 1)), testFile(seededBytes(3 * mib, 2))];
    const slow = await startSource(test, { name: 'slow', files: [film, next] });
    const fast = await startSource(test, { name: 'fast', files: [film, next] });
    // It gives one chunk and a bit, and then nothing more, without its connection being dead.
    const never = Promise.withResolvers<void>();
    test.teardown(() => {
      never.resolve();
      return Promise.resolve();
    });
    slow.beforeSend = (sentBytes) => (sentBytes > mib ? never.promise : Promise.resolve());
    const { want, outcomes } = startFilling(test, {
      store: disk,
      ways: () => [slow.way(), fast.way()],
      concurrency: 2,
      stallMs: 600_000,
    });
    want(film);
    await until(() => disk.held.has(film.file));
    const [outcome] = outcomes;
    const bytesOf = (node: string) =>
      outcome?.bytesBySource.find((source) => source.node === node)?.bytes ?? 0;
    test.ok(bytesOf('slow') >= mib, 'what it brought counts');
    test.equal(bytesOf('slow') + bytesOf('fast'), film.bytes.length, 'and is not brought again');
    test.equal(outcome?.chunksVerified, 25);
    want(film, next);
    await until(() => disk.held.has(next.file));
    test.notOk(slow.asked.includes(next.file), 'it was demoted: others are asked first');
  },
);

void t.test('connections are kept and used again', async (test) => {
  const disk = await emptyDisk(test);
  const films = Array.from({ length: 40 }, (_, seed) => testFile(seededBytes(100_000 + seed, seed)));
  const sources = await Promise.all(['a', 'b'].map((name) => startSource(test, { name, files: films })));
  const { want } = startFilling(test, {
    store: disk,
    ways: () => sources.map((source) => source.way()),
    concurrency: 4,
  });
  want(...films);
  await until(() => disk.held.size === films.length);
  for (const { connections } of sources) test.ok(connections <= 4, `${connections} connections`);
});
