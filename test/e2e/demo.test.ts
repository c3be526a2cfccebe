import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import t from 'tap';

import { makeClip } from '../support/clip.ts';

const run = promisify(execFile);
const bin = new URL('../../cli/bin.ts', import.meta.url).pathname;

t.test('./dev demo --check proves the loop', { timeout: 180_000 }, async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'nearcast-demo-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const film = await makeClip(join(dir, 'Test film.mp4'), { lengthS: 20 });
  const { stdout } = await run(process.execPath, [bin, 'demo', '--check', film, '--port-offset', '5000']);
  t.equal(stdout.match(/^✔ .*$/gm)?.length, 7, 'every line of it is a success', { stdout });
  t.match(stdout, /5 of 5 proofs hold/);
});

t.test('a port in use is named, and nothing is left running', { timeout: 60_000 }, async (t) => {
  const server = createServer().listen(12_080, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const dir = await mkdtemp(join(tmpdir(), 'nearcast-demo-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const failed = await run(process.execPath, [bin, 'demo', '--data', dir, '--port-offset', '5000']).then(
    () => undefined,
    (error: unknown) => error as { code: number; stderr: string },
  );
  t.equal(failed?.code, 69);
  t.match(failed?.stderr, /origin did not start[^]*127\.0\.0\.1:12080/);
  await t.rejects(fetch('http://127.0.0.1:12070/healthz'), 'the control plane was stopped again');
});
