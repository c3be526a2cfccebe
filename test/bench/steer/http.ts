// Content steering over HTTP: a real steering process on one core, with the full map and boxes that answer its probes, asked by a load
// generator over keep-alive connections from another core.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { SteeringMap } from '../../../common/contract/documents.ts';
import type { RankReply, SteeringStatus } from '../../../common/contract/steering.ts';
import { median } from '../../support/bench.ts';
import { pick, seededRandom } from '../../support/seeded.ts';
import { startSteeringControl, type SteeringControl } from '../../support/steering-control.ts';
import { startSteering, until, type SteeringProcess } from '../../support/steering-process.ts';
import { cpuSeconds } from '../fill/cpu.ts';
import { buildHttpLoad, runHttpLoad, type HttpTurn } from '../http-load/http-load.ts';
import { pinnedTo } from '../serve/server.ts';
import { bundleAt, bundleCount } from './world.ts';

/** What one run measured. */
export interface HttpRun {
  /** Answers in a second, saturated. */
  readonly rps: number;
  /** At 70 % of that. */
  readonly p99Ms: number;
  readonly p50Ms: number;
  readonly maxMs: number;
  readonly offered: number;
  readonly connections: number;
  /** Processor time of the whole process for each answer, saturated. */
  readonly cpuUs: number;
}

const steeringCpu = 0;
const loadCpu = 1;
const connections = 64;
const loadShare = 0.7;

/** Measures over the map that `prepare.ts` wrote to a folder. */
export async function measureHttp(
  folder: string,
  { rounds, seconds, sessions }: { rounds: number; seconds: number; sessions: number },
): Promise<HttpRun> {
  const load = await buildHttpLoad(folder);
  const control = await startSteeringControl();
  const boxes = await startBoxes();
  let steering: SteeringProcess | undefined;
  try {
    const map = await mapOf(folder, boxes.port);
    control.publish(await control.signBody(map, 1), 1);
    const dataDir = join(folder, 'steering');
    await mkdir(dataDir, { mode: 0o700 });
    await cp(join(folder, 'map-tables'), join(dataDir, 'map-tables'), { recursive: true });
    steering = await startSteering({
      ...{ dataDir, controlUrl: control.url, code: control.code, under: pinnedTo(steeringCpu) },
      more: ['--trusted-proxies', '127.0.0.1', '--dns-replies-per-second', '1000'],
    });
    await untilWell(steering, control, map.appliances.length);
    const requests = join(folder, 'requests');
    await writeFile(requests, await requestsOf(steering, control, sessions));
    const turn = async (rate: number, warmSeconds = Math.min(2, seconds)): Promise<HttpTurn> => {
      const turned = await runHttpLoad(load, {
        ...{ port: Number(new URL(steering?.url ?? '').port), requests, connections, rate, seconds },
        ...{ warmSeconds, bodyStart: '{"VERSION":1,"TTL":', cpu: loadCpu },
      });
      if (turned.failed + turned.refused + turned.dropped > 0)
        throw new Error(`wrong answers: ${JSON.stringify(turned)}`);
      return turned;
    };
    const pids = [steering.pid];
    const saturate = async (): Promise<HttpTurn & { cpuUs: number }> => {
      const fromSeconds = await cpuSeconds(pids);
      const turned = await turn(0, 0);
      return { ...turned, cpuUs: (((await cpuSeconds(pids)) - fromSeconds) / turned.answered) * 1e6 };
    };
    await turn(0);
    const saturated = await inTurn(rounds, saturate);
    const rps = median(saturated.map(({ answered, seconds: took }) => answered / took));
    const offered = loadShare * rps;
    const paced = await inTurn(rounds, () => turn(offered));
    const ms = (read: (turned: HttpTurn) => number): number => median(paced.map(read)) / 1000;
    return {
      connections,
      rps,
      cpuUs: median(saturated.map((turned) => turned.cpuUs)),
      offered,
      p50Ms: ms((of) => of.p50Us),
      p99Ms: ms((of) => of.p99Us),
      maxMs: ms((of) => of.maxUs),
    };
  } finally {
    await steering?.stop();
    boxes.stop();
    await control.close();
  }
}

async function inTurn<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let at = 0; at < count; at++) made.push(await make());
  return made;
}

/** One process answers for all boxes, each under a path of its name. */
async function startBoxes(): Promise<{ port: number; stop: () => void }> {
  const program = new URL('boxes.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return { port: Number(port.toString()), stop: () => child.stdin.end() };
}

async function mapOf(folder: string, port: number): Promise<SteeringMap> {
  const [, payload = ''] = (await readFile(join(folder, 'steering-map.jws'), 'utf8')).split('.');
  const { body } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { body: SteeringMap };
  const appliances = body.appliances.map((box) => ({
    ...box,
    url: `http://127.0.0.1:${port}/${box.id}`,
    addresses: ['127.0.0.1'],
  }));
  return { ...body, appliances };
}

async function untilWell(steering: SteeringProcess, control: SteeringControl, boxes: number): Promise<void> {
  const authorization = `Bearer ${await control.accessToken('operator')}`;
  await until('all boxes to be well', async () => {
    const response = await fetch(`${steering.url}/v1/status`, { headers: { authorization } });
    const { pathways } = (await response.json()) as SteeringStatus;
    return pathways.filter(({ verdict }) => verdict === 'up').length === boxes;
  });
}

/** What players ask: each session from another address of the whole IPv4 space, with the ways that it was started with. */
async function requestsOf(
  steering: SteeringProcess,
  control: SteeringControl,
  sessions: number,
): Promise<string> {
  const random = seededRandom(7);
  const authorization = `Bearer ${await control.accessToken('service')}`;
  let text = '';
  for (let at = 0; at < sessions; at++) {
    const client = [1 + pick(random, 223), pick(random, 256), pick(random, 256), pick(random, 256)].join('.');
    const bundle = bundleAt(pick(random, bundleCount));
    const response = await fetch(`${steering.url}/v1/rank`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ client, bundle }),
    });
    const { pathways } = (await response.json()) as RankReply;
    const ids = pathways.map(({ id }) => id);
    const token = control.deliveryToken({ scope: 'steer', bundle, pathways: ids });
    const query = `_HLS_pathway=%22${ids[0] ?? ''}%22&_HLS_throughput=5000000`;
    text += `GET /v1/steer/${token}?${query} HTTP/1.1\r\nHost: steer.example.test\r\nX-Forwarded-For: ${client}\r\n\r\n\0`;
  }
  return text;
}
