import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import t from 'tap';
import { readBlobBytes } from '../../common/adapters/blobs/bytes.ts';
import { openBlobs } from '../../common/adapters/blobs/open.ts';
import { Bundle } from '../../common/contract/bundle.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import { contentKey } from '../../common/core/file-keys.ts';
import { makeClip, output, picture, quick, tone } from './support/clips.ts';
import { startEncoderControl } from './support/control.ts';

const bin = fileURLToPath(new URL('../../cli/bin.ts', import.meta.url));
const clock = createSystemClock();

interface EncoderProcess {
  child: ChildProcess;
  lines: string[];
  ready: Promise<{ url: string }>;
  exit: Promise<[number | null, NodeJS.Signals | null]>;
}

/** Starts a real encoder. */
function startEncoder(args: readonly string[], env: NodeJS.ProcessEnv = process.env): EncoderProcess {
  const child = spawn(process.execPath, [bin, 'encoder', ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const ready = new Promise<{ url: string }>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        lines.push(line);
        if (line.includes('"msg":"ready"')) resolve(JSON.parse(line) as { url: string });
      });
    }
  });
  return { child, lines, ready, exit: once(child, 'close') as EncoderProcess['exit'] };
}

const directory = await mkdtemp(join(tmpdir(), 'nearcast-encoder-'));
t.teardown(() => rm(directory, { recursive: true, force: true }));
const blobsUrl = pathToFileURL(join(directory, 'blobs')).href;
const blobs = await openBlobs(blobsUrl);
const control = await startEncoderControl();
t.teardown(() => control.close());
const args = [
  ...['--data-dir', join(directory, 'data'), '--blobs-url', blobsUrl, '--control-url', control.url],
  ...['--port', '0', '--enrolment-code-file', join(directory, 'code'), '--drain-ms', '0'],
];
await writeFile(join(directory, 'code'), `${control.code}\n`);
await mkdir(join(directory, 'blobs', 'sources'), { recursive: true });

async function storeSource(name: string, clip: string): Promise<{ sourceKey: string; sizeBytes: number }> {
  const path = join(directory, 'blobs', 'sources', name);
  await copyFile(clip, path);
  return { sourceKey: `sources/${name}`, sizeBytes: (await stat(path)).size };
}

async function ffmpegsIn(workDirectory: string): Promise<string> {
  return output('sh', [
    '-c',
    `grep -l ffmpeg /proc/[0-9]*/comm 2>/dev/null | cut -d/ -f3 | while read p; do
    readlink /proc/$p/cwd; done | grep -F '${workDirectory}' || true`,
  ]);
}

await t.test('enrols, answers for its health, encodes, and starts nothing while idle', async (t) => {
  const encoder = startEncoder(args);
  const { url } = await encoder.ready;
  t.match(await (await fetch(`${url}/healthz`)).json(), { status: 'ok', name: 'encoder-1' });
  const children = await output('sh', ['-c', `cat /proc/${encoder.child.pid}/task/*/children`]);
  t.equal(children.trim(), '', 'no process while idle');
  const clip = await makeClip(join(directory, 'clip.mp4'), [
    ...picture({ seconds: 2 }),
    ...tone(2),
    ...quick,
  ]);
  control.give(await storeSource('one', clip));
  const done = await control.called('complete', 'fail');
  t.equal(done.verb, 'complete');
  const bytes = await readBlobBytes(blobs, contentKey(String(done.body.bundle)));
  const bundle = parseJsonAs(Bundle, bytes?.toString() ?? '', { what: 'the bundle' });
  for (const { file, sizeBytes } of bundle.files) {
    t.equal((await blobs.stat(contentKey(file)))?.sizeBytes, sizeBytes);
  }
  t.match(await (await fetch(`${url}/metrics`)).text(), 'nearcast_encode_jobs_total{end="completed"} 1');
  encoder.child.kill('SIGTERM');
  t.same(await encoder.exit, [0, null]);
});

await t.test('killed in mid-encode it takes ffmpeg along, and the next start cleans up', async (t) => {
  const clip = await makeClip(join(directory, 'long.mp4'), [
    ...picture({ size: '640x360', seconds: 100 }),
    ...quick,
  ]);
  const source = await storeSource('long', clip);
  const before = (await blobs.list('files/')).length;
  const work = join(directory, 'data', 'work');
  const first = startEncoder(args);
  await first.ready;
  control.give(source);
  while ((await ffmpegsIn(work)) === '') await clock.sleep(20);
  t.equal((await readdir(work)).length, 1);
  first.child.kill('SIGKILL');
  await first.exit;
  while ((await ffmpegsIn(work)) !== '') await clock.sleep(20);
  t.equal((await blobs.list('files/')).length, before, 'nothing half published');

  const second = startEncoder(args);
  await second.ready;
  t.same(await readdir(work), []);

  await t.test('and SIGTERM hands a job back', async (t) => {
    control.give(source);
    while ((await ffmpegsIn(work)) === '') await clock.sleep(20);
    second.child.kill('SIGTERM');
    t.same(await second.exit, [0, null]);
    t.match(await control.called('fail'), { body: { code: 'DRAINING', final: false } });
    t.equal(await ffmpegsIn(work), '');
    t.same(await readdir(work), []);
  });
});

await t.test('what is wrong at the start is said, with an exit code', async (t) => {
  const busy = createServer().listen(0, '127.0.0.1');
  await once(busy, 'listening');
  t.teardown(() => busy.close());
  const { port } = busy.address() as AddressInfo;
  const other = [
    '--data-dir',
    join(directory, 'other'),
    '--blobs-url',
    blobsUrl,
    '--control-url',
    control.url,
  ];
  const cases: readonly [string, readonly string[], NodeJS.ProcessEnv | undefined, RegExp][] = [
    ['ffmpeg missing', args, { PATH: '/nonexistent' }, /FFMPEG_MISSING[^]*apt-get install -y ffmpeg/],
    ['port in use', [...args, '--port', String(port)], undefined, /ADDRESS_IN_USE/],
    ['no blobs', ['--data-dir', join(directory, 'other')], undefined, /CONFIG_INVALID[^]*--blobs-url/],
    ['unknown flag', [...args, '--concurency', '2'], undefined, /did you mean --concurrency/],
    ['no code', other, undefined, /CONFIG_INVALID[^]*no identity/],
    ['wrong code', [...other, '--enrolment-code', 'nc1.x.y'], undefined, /ENROLMENT_CODE_INVALID/],
    ['open to others', [...args, '--host', '0.0.0.0'], undefined, /--insecure-public/],
  ];
  for (const [what, argv, env, said] of cases) {
    const encoder = startEncoder(argv, env);
    const [code] = await encoder.exit;
    t.ok((code ?? 0) > 0, `${what}: exit code ${code}`);
    t.match(encoder.lines.join('\n'), said, what);
  }
});
