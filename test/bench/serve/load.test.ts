import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { putFile, seededBytes, testBundle, testFile, testToken } from '../../support/appliance/content.ts';
import { temporaryDirectory, testDisk, testEngine } from '../../support/appliance/serving-box.ts';
import { makeCertificate } from './content.ts';
import {
  canCompile,
  compilePrograms,
  failureCount,
  holdSlow,
  openIdle,
  runLoad,
  type LoadOptions,
} from './programs.ts';

const skip = (await canCompile()) ? false : 'needs cc and the headers of OpenSSL';
const sizeBytes = 65_536;

async function lab(test: Test) {
  const directory = await temporaryDirectory(test);
  const programs = await compilePrograms(directory, ['-g', '-O1', '-fsanitize=address,undefined']);
  const film = testFile(seededBytes(2_000_000, 1));
  const right = join(directory, 'right');
  const wrong = join(directory, 'wrong');
  await writeFile(right, film.bytes);
  await writeFile(wrong, seededBytes(2_000_000, 2));
  let lists = 0;
  const targets = async (path: string, file: string): Promise<string> => {
    const list = join(directory, `list${lists++}`);
    await writeFile(list, `${path} ${film.bytes.length} ${file}\n`);
    return list;
  };
  return { directory, programs, film, right, wrong, targets };
}

const request = (port: number, targets: string): LoadOptions => ({
  ...{ port, tls: false, targets, sizeBytes, connections: 8, seconds: 0.3, seed: 1, verify: true },
});

t.test('the load generator takes right answers of the engine, and no others', { skip }, async (test) => {
  const { programs, film, right, wrong, targets, directory } = await lab(test);
  const { disk } = await testDisk(directory);
  test.teardown(() => disk.close());
  const bundle = testBundle([film]);
  for (const file of [film, bundle]) await putFile(disk, file);
  const { port, key } = await testEngine(test, { content: disk });
  const path = `/v1/${testToken(key, { bundle: bundle.file })}/${film.file}.mp4`;
  const good = request(port, await targets(path, right));

  const sample = await runLoad(programs, { ...good, pids: [process.pid] });
  test.equal(failureCount(sample), 0);
  test.equal(sample.bytes >= sample.requests * sizeBytes, true);
  test.ok(sample.serverCpuSeconds > 0 && sample.first.p50Us <= sample.whole.p50Us);
  test.equal(failureCount(await runLoad(programs, { ...good, verify: false })), 0);
  const once = await runLoad(programs, { ...good, once: true, seconds: 5 });
  test.equal(once.requests, Math.floor(film.bytes.length / sizeBytes), 'every range once, then it ends');

  await test.rejects(runLoad(programs, request(port, await targets(path, wrong))), /"bytes":[1-9]/);
  await test.rejects(runLoad(programs, request(port, await targets('/nothing', right))), /"status":[1-9]/);

  const idle = await openIdle(programs, { ...good, connections: 20 });
  test.equal(idle.open, 20);
  test.equal(await idle.close(), 20, 'and the server kept them');
  const slow = await holdSlow(programs, { ...good, connections: 20, seconds: 1.2 });
  test.match(slow, { opened: 20, mostOpen: 20, cut: 0, answered: 0, failed: 0 });
});

t.test(
  'over TLS it counts whole records unseen, and deciphers all where it verifies',
  { skip },
  async (test) => {
    const { programs, film, right, wrong, targets, directory } = await lab(test);
    const { key, certificate } = await makeCertificate(directory);
    const server = createServer(
      { key: await readFile(key), cert: await readFile(certificate) },
      ({ headers }, response) => {
        const [, start, end] = (/bytes=(\d+)-(\d+)/.exec(headers.range ?? '') ?? []).map(Number);
        const body = film.bytes.subarray(start, (end ?? 0) + 1);
        const range = `bytes ${start ?? 0}-${end ?? 0}/${film.bytes.length}`;
        response.writeHead(206, { 'content-length': body.length, 'content-range': range }).end(body);
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    test.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const good = { ...request(port, await targets('/film.mp4', right)), tls: true };
    for (const verify of [true, false]) {
      const sample = await runLoad(programs, { ...good, verify });
      test.equal(failureCount(sample), 0);
      test.ok(sample.requests > 8);
    }
    const bad = { ...good, targets: await targets('/film.mp4', wrong) };
    await test.rejects(runLoad(programs, bad), /"bytes":[1-9]/);
  },
);
