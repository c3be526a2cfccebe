import { execFile } from 'node:child_process';
import { chmod, chown, copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodeSource, type Encoded, type EncodeRequest } from '../../../encoder/encode.ts';
import { openFfmpeg, type Ffmpeg, type FfmpegOptions } from '../../../encoder/ffmpeg.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';

const run = promisify(execFile);

/** Runs a program to its end; its standard output. */
export async function output(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(program, [...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** Makes a clip with the machine's ffmpeg. */
export async function makeClip(path: string, args: readonly string[]): Promise<string> {
  await output('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args, path]);
  return path;
}

/** ffmpeg's arguments for a test picture. */
export function picture(options: { size?: string; rate?: number | string; seconds?: number } = {}): string[] {
  const { size = '160x90', rate = 25, seconds = 3 } = options;
  return ['-f', 'lavfi', '-i', `testsrc=size=${size}:rate=${rate}:duration=${seconds}`];
}

/** ffmpeg's arguments for a test tone. */
export function tone(seconds = 3): string[] {
  return ['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=44100:duration=${seconds}`];
}

/** The quickest H.264 and AAC. */
export const quick = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];

/** Whom ffmpeg runs as in tests: as in main, nobody when we are root. */
export const testUser = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;

/** ffmpeg as the encoder opens it. */
export async function openTestFfmpeg(changes: Partial<FfmpegOptions> = {}): Promise<Ffmpeg> {
  return openFfmpeg({
    path: process.env.PATH ?? '',
    user: testUser,
    threads: 2,
    addressSpaceBytesMax: 8 * 1024 ** 3,
    encodeTimeoutMs: 60_000,
    clock: createSystemClock(),
    ...changes,
  });
}

/** A work directory with the source in it, as a worker makes one. */
export async function makeWorkDirectory(source?: string, parent = tmpdir()): Promise<string> {
  const directory = await mkdtemp(join(parent, 'nearcast-encode-'));
  await chmod(directory, 0o700);
  if (testUser !== undefined) await chown(directory, testUser.uid, testUser.gid);
  if (source !== undefined) {
    await copyFile(source, join(directory, 'source'));
    await chmod(join(directory, 'source'), 0o644);
  }
  return directory;
}

/** Encodes a file in a work directory of its own, and removes that when `use` is done. */
export async function withEncoded<T>(
  source: string,
  use: (encoded: Encoded, directory: string) => Promise<T>,
  changes: Partial<EncodeRequest> = {},
): Promise<T> {
  const directory = await makeWorkDirectory(source);
  try {
    const encoded = await encodeSource({
      workDirectory: directory,
      sourceName: 'source',
      ffmpeg: await openTestFfmpeg(),
      signal: new AbortController().signal,
      ...changes,
    });
    return await use(encoded, directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
