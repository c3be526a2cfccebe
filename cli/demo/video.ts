import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { coded, systemCode } from '../../common/runtime/errors.ts';

const lengthS = 60;
const makeTimeoutMs = 120_000;

/** A test film of a minute, with a running clock to see and a tone to hear; made once per data directory. */
export async function makeVideo(dataDir: string, signal: AbortSignal): Promise<string> {
  const path = join(dataDir, 'nearcast-test-film.mp4');
  if (existsSync(path)) return path;
  const unfinished = `${path}.part.mp4`;
  const args = [
    ...['-nostdin', '-hide_banner', '-loglevel', 'error', '-y'],
    ...['-f', 'lavfi', '-i', `testsrc2=size=1280x720:rate=24:duration=${lengthS}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=330:beep_factor=4:duration=${lengthS}`],
    ...[
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-crf',
      '23',
      '-pix_fmt',
      'yuv420p',
      '-c:a',
      'aac',
      '-ac',
      '2',
    ],
    unfinished,
  ];
  await promisify(execFile)('ffmpeg', args, {
    signal,
    timeout: makeTimeoutMs,
  }).catch((cause: unknown) => {
    if (systemCode(cause) === 'ENOENT')
      throw coded('FFMPEG_MISSING', {
        detail: 'install it with: apt-get install ffmpeg',
        cause,
      });
    throw coded('ENCODE_FAILED', {
      detail: `ffmpeg could not make the test film: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    });
  });
  await rename(unfinished, path);
  return path;
}
