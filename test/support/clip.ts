import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Makes a short film with a small moving picture, which is encoded in no time, and a tone; returns its path. */
export async function makeClip(path: string, { lengthS }: { lengthS: number }): Promise<string> {
  const picture = `testsrc2=size=320x180:rate=24:duration=${lengthS}`;
  const sound = `sine=frequency=330:duration=${lengthS}`;
  const inputs = ['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', sound];
  const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac'];
  await promisify(execFile)('ffmpeg', ['-nostdin', '-loglevel', 'error', ...inputs, ...codecs, path]);
  return path;
}
