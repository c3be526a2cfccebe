// Overload: a real control plane on one core, browsed at twelve times its ordinary load while viewers go on starting to play.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { runHttpLoad, type HttpTurn } from '../http-load/http-load.ts';
import { startPlaneProcess } from './plane-process.ts';
import type { PlaneReady } from './plane.ts';

/** What one run measured. */
export interface OverloadRun {
  /** Requests to browse that it answers in a second when nobody plays. */
  readonly capacity: number;
  /** Requests to browse in a second, ordinarily. */
  readonly ordinary: number;
  readonly before: Pair;
  readonly during: Pair;
  /** Share of the requests to play that were answered during the overload. */
  readonly playback: number;
  /** From its end until a whole second was as before. */
  readonly recoverSeconds: number;
}

type Pair = Readonly<Record<'browse' | 'play', HttpTurn>>;

const serverCpu = 0;
const loadCpu = 1;
const times = 12;
const playsPerSecond = 20;
const recoverSecondsMax = 120;
/** Measures with requests written into a folder. */
export async function measureOverload(
  { folder, load }: { folder: string; load: string },
  { seconds }: { seconds: number },
): Promise<OverloadRun> {
  const plane = await startPlaneProcess(serverCpu, { titles: 20, viewers: 100 });
  try {
    const { port } = plane;
    const files = await writeRequests(folder, plane.ready);
    const browse = (rate: number, lasts: number, connections = 256): Promise<HttpTurn> =>
      runHttpLoad(load, {
        ...{ port, requests: files.browse, connections, rate, seconds: lasts, warmSeconds: 0 },
        ...{ bodyStart: '{"titles":[{', cpu: loadCpu },
      });
    const both = async (rate: number, lasts: number): Promise<Pair> => {
      const playing = runHttpLoad(load, {
        ...{ port, requests: files.play, connections: 32, rate: playsPerSecond, seconds: lasts },
        ...{ warmSeconds: 0, bodyStart: '{', cpu: loadCpu },
      });
      const [browsed, play] = await Promise.all([browse(rate, lasts), playing]);
      return { browse: browsed, play };
    };
    await browse(0, seconds, 16);
    const saturated = await browse(0, seconds, 16);
    const capacity = saturated.answered / saturated.seconds;
    const ordinary = capacity / 4;
    const before = await both(ordinary, seconds);
    const during = await both(times * ordinary, 3 * seconds);
    const recoverSeconds = await recovered(before, () => both(ordinary, 1));
    return { capacity, ordinary, before, during, playback: shareAnswered(during.play), recoverSeconds };
  } finally {
    await plane.stop();
  }
}

/** How long it takes until a whole second is as before, that second included. */
async function recovered(before: Pair, second: () => Promise<Pair>): Promise<number> {
  const startMs = performance.now();
  for (;;) {
    const now = await second();
    const tookSeconds = (performance.now() - startMs) / 1000;
    const isAsBefore = ({ browse, play }: Pair): boolean =>
      shareAnswered(browse) === 1 &&
      shareAnswered(play) === 1 &&
      browse.p99Us <= 2 * before.browse.p99Us + 10_000;
    if (isAsBefore(now) || tookSeconds > recoverSecondsMax) return tookSeconds;
  }
}

/** Of all requests that were due and sent. */
export function shareAnswered({ answered, refused, failed, dropped }: HttpTurn): number {
  return answered / (answered + refused + failed + dropped);
}

async function writeRequests(
  folder: string,
  { titles, viewers }: PlaneReady,
): Promise<{ browse: string; play: string }> {
  const head = (route: string, viewer: string): string =>
    `${route} HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer ${viewer}\r\n`;
  const files = { browse: join(folder, 'browse'), play: join(folder, 'play') };
  await writeFile(files.browse, viewers.map((viewer) => `${head('GET /v1/titles', viewer)}\r\n\0`).join(''));
  const plays = viewers.map((viewer, at) => {
    const body = JSON.stringify({ titleId: titles[at % titles.length] });
    const length = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
    return `${head('POST /v1/playback-sessions', viewer)}${length}\r\n${body}\0`;
  });
  await writeFile(files.play, plays.join(''));
  return files;
}
