import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { coded } from '../../common/runtime/errors.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { planEncode } from '../../encoder/core/plan.ts';
import type { Source } from '../../encoder/core/probe.ts';
import type { InputFile } from '../../encoder/ffmpeg.ts';
import { makeClip, makeWorkDirectory, openTestFfmpeg, picture, quick, testUser } from './support/clips.ts';

const source: Source = {
  video: {
    index: 0,
    display: { width: 160, height: 90 },
    turned: false,
    interlaced: false,
    hdr: undefined,
    meanFrameRateHz: 25,
    baseFrameRateHz: 25,
    endS: 3,
  },
  audio: [],
  captions: [],
  notices: [],
};
const plan = planEncode(source);
const directory = t.testdir();
const none = new AbortController().signal;

/** A PATH on which a script stands in for ffmpeg and ffprobe, the rest being the machine's. */
async function pathWith(name: string, script: string): Promise<string> {
  const bin = join(directory, name);
  await mkdir(bin);
  for (const program of ['ffmpeg', 'ffprobe']) {
    await writeFile(join(bin, program), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, program), 0o755);
  }
  return `${bin}:${process.env.PATH ?? ''}`;
}

async function input(): Promise<InputFile> {
  return { workDirectory: await makeWorkDirectory(undefined, directory), name: 'source', demuxer: 'mov' };
}

async function pidIn(path: string): Promise<number> {
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.endsWith('\n')) return Number(text);
    await createSystemClock().sleep(10);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function waitUntilDead(pid: number): Promise<void> {
  while (isAlive(pid)) await createSystemClock().sleep(10);
}

await t.test('runs unprivileged, limited, without our environment', async (t) => {
  const script = `
    echo uid=$(id -u) gid=$(id -G) >&2; ulimit -t >&2
    echo nnp=$(grep NoNewPrivs /proc/self/status) caps=$(grep CapBnd /proc/self/status) >&2
    echo core=$(ulimit -c) nice=$(nice) secret=$SECRET home=$HOME >&2; exit 1`;
  process.env.SECRET = 'a credential';
  t.teardown(() => delete process.env.SECRET);
  const ffmpeg = await openTestFfmpeg({ path: await pathWith('spy', `exec 2>report\n${script}`) });
  const file = await input();
  await t.rejects(ffmpeg.encode(plan, file, { signal: none }), { code: 'ENCODE_FAILED' });
  const report = await readFile(join(file.workDirectory, 'report'), 'utf8');
  if (testUser !== undefined) {
    t.match(report, `uid=${testUser.uid} gid=${testUser.gid}\n`);
    t.match(report, /CapBnd:\s*0+\n/);
  }
  t.match(report, /NoNewPrivs:\s*1/);
  t.match(report, 'core=0 nice=10 secret= home=/nonexistent');
  t.notMatch(report, /unlimited/, 'CPU time is limited');
});

await t.test('a file beyond the limit ends it', async (t) => {
  const path = await pathWith('writer', 'exec head -c 500000000 /dev/zero > out');
  const ffmpeg = await openTestFfmpeg({ path });
  await t.rejects(ffmpeg.encode(plan, await input(), { signal: none }), { code: 'ENCODE_LIMIT' });
});

await t.test('memory beyond the limit ends it', async (t) => {
  const clip = await makeClip(join(directory, 'clip.mp4'), [...picture(), ...quick]);
  const ffmpeg = await openTestFfmpeg({ addressSpaceBytesMax: 250 * 1024 * 1024 });
  const file = {
    workDirectory: await makeWorkDirectory(clip, directory),
    name: 'source',
    demuxer: 'mov',
  } as const;
  await t.rejects(ffmpeg.encode(plan, file, { signal: none }), { code: 'ENCODE_LIMIT' });
});

await t.test('time over the limit kills the whole group', async (t) => {
  const path = await pathWith('sleeper', 'sleep 600 & echo $! > child\nwait');
  const ffmpeg = await openTestFfmpeg({ path, encodeTimeoutMs: 300 });
  const file = await input();
  await t.rejects(ffmpeg.encode(plan, file, { signal: none }), {
    code: 'ENCODE_LIMIT',
    detail: /longer than/,
  });
  await waitUntilDead(await pidIn(join(file.workDirectory, 'child')));
});

await t.test('an abort kills the whole group and says why', async (t) => {
  const path = await pathWith('waiter', 'sleep 600 & echo $! > child\nwait');
  const ffmpeg = await openTestFfmpeg({ path });
  const file = await input();
  const stop = new AbortController();
  const running = ffmpeg.encode(plan, file, { signal: stop.signal });
  const pid = await pidIn(join(file.workDirectory, 'child'));
  stop.abort(coded('LEASE_LOST'));
  await t.rejects(running, { code: 'LEASE_LOST' });
  await waitUntilDead(pid);
});

await t.test('what it says is bounded', async (t) => {
  const noise =
    'i=0; while [ $i -lt 3000 ]; do echo "noise noise noise noise noise $i" >&2; i=$((i+1)); done';
  const path = await pathWith('talker', `${noise}; echo "out_time_us=1500000"; echo last words >&2; exit 3`);
  const ffmpeg = await openTestFfmpeg({ path });
  const seen: number[] = [];
  const running = ffmpeg.encode(plan, await input(), {
    signal: none,
    onProgressS: (doneS) => seen.push(doneS),
  });
  await t.rejects(running, { code: 'ENCODE_FAILED', detail: /exit code 3: noise .*; last words$/ });
  t.same(seen, [1.5]);
});

await t.test('a program that went away after the start', async (t) => {
  const path = await pathWith('gone', 'exit 0');
  const ffmpeg = await openTestFfmpeg({ path });
  await rm(join(directory, 'gone', 'ffmpeg'));
  await t.rejects(ffmpeg.encode(plan, await input(), { signal: none }), { code: 'FFMPEG_MISSING' });
});
