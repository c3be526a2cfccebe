import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { systemCode } from '../../common/runtime/errors.ts';

import { freePort } from './free-port.ts';
import { until } from '../control-plane/support/until.ts';
import { endWithUs, removeWithUs } from './end-with-us.ts';
import { startHeldGateway, type HeldGateway } from './held-gateway.ts';
import type { ProofOptions, ProofResult } from './proof.ts';
import { pick, seededRandom } from './seeded.ts';

const answersPerRound = 60;
const clientsOfEach = 3;
/** What the process may grow by after the first tenth of the rounds: what is kept of each client and each connection is bounded. */
const growthMbMax = 256;

interface Soak {
  readonly random: () => number;
  readonly failures: string[];
  /** Answers by what was asked and status. */
  readonly counts: Map<string, number>;
  readonly gateway: HeldGateway;
  isOver: boolean;
  /** Requests that must be answered well, and were. */
  answered: number;
}

interface Asked {
  readonly what: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly token?: string;
  readonly body?: string;
  /** Which answers are right. */
  readonly right: (status: number) => boolean;
}

/** Asks a gateway with two services behind it for everything at once while services die and it is itself started anew, `rounds` times. */
export async function proveGateway({ seed, rounds, progress }: ProofOptions): Promise<ProofResult> {
  const dataDir = removeWithUs(await mkdtemp(join(tmpdir(), 'soak-gateway-')));
  const behind = [await freePort(), await freePort()];
  const upstreams = behind.flatMap((port) => ['--gateway-upstreams', `/v1/soak=http://127.0.0.1:${port}`]);
  const flags = ['--gateway-browse-per-second', '100000', '--gateway-address-per-second', '100000', ...upstreams]; // prettier-ignore
  const services = await Promise.all(behind.map(startService));
  const soak: Soak = {
    ...{ random: seededRandom(seed), failures: [], counts: new Map(), isOver: false, answered: 0 },
    gateway: await startHeldGateway(dataDir, flags),
  };
  const clients = kinds(soak.gateway.operator).flatMap((kind) =>
    Array.from({ length: clientsOfEach }, () => askOn(soak, kind)),
  );
  clients.push(leaveOn(soak));
  let earlyMb = Infinity;
  let lastMb = 0;
  for (let round = 0; round < rounds && soak.failures.length === 0; round++) {
    lastMb = await soak.gateway.residentMb();
    if (round === Math.ceil(rounds / 10)) earlyMb = lastMb;
    if (lastMb > earlyMb + growthMbMax) soak.failures.push('it goes on growing');
    if (round % 3 === 0) await soak.gateway.reload();
    else await replace(soak, { services, ports: behind, signal: round % 3 === 1 ? 'SIGKILL' : 'SIGTERM' });
    const before = soak.answered;
    progress?.(`${round} of ${rounds} rounds, ${soak.answered} answers`);
    await until(() => soak.answered, (now) => now >= before + answersPerRound || soak.failures.length > 0); // prettier-ignore
  }
  soak.isOver = true;
  await Promise.all(clients);
  await checkEmpty(soak);
  await soak.gateway.stop();
  for (const service of services) service.kill('SIGKILL');
  await rm(dataDir, { recursive: true, force: true });
  const counted = [...soak.counts].toSorted().map(([what, count]) => `${what}: ${count}`);
  const memory = `resident: ${earlyMb} MB after a tenth of the rounds, ${lastMb} MB at the end`;
  return { holds: soak.failures.length === 0, lines: [...counted, memory, ...soak.failures] };
}

function kinds(operator: string): Asked[] {
  const isShed = (status: number): boolean => status === 429;
  const isWell = (status: number): boolean => status === 200 || isShed(status);
  const isRefused = (status: number): boolean => status >= 400 && status < 500;
  const post = { method: 'POST', path: '/v1/soak', token: operator } as const;
  return [
    { what: 'titles', method: 'GET', path: '/v1/titles', token: operator, right: isWell },
    { what: 'service', method: 'GET', path: '/v1/soak/thing', right: isWell },
    // What cannot be repeated may be lost with the service that had it.
    { what: 'service, not to be repeated', ...post, body: '{"a":1}', right: (status) => isWell(status) || status === 502 }, // prettier-ignore
    { what: 'depth bomb', ...post, path: '/v1/titles', body: '['.repeat(1000), right: isRefused },
    { what: 'doubled key', ...post, path: '/v1/titles', body: '{"a":1,"a":2}', right: isRefused },
    { what: 'nowhere', method: 'GET', path: '/v1/nowhere', right: isRefused },
  ];
}

async function askOn(soak: Soak, asked: Asked): Promise<void> {
  const { what, right } = asked;
  // Connections of its own: one that brings nothing but plain GETs goes past the framework.
  const agent = new Agent();
  while (!soak.isOver) {
    let said: string;
    try {
      const status = await statusOf(soak, { ...asked, agent });
      said = String(status);
      if (right(status)) soak.answered++;
      else soak.failures.push(`${what} was answered with ${said}`);
    } catch (error) {
      said = 'not answered';
      soak.failures.push(`${what} was not answered: ${String(error)}`);
    }
    const key = `${what}, ${said}`;
    soak.counts.set(key, (soak.counts.get(key) ?? 0) + 1);
  }
  await agent.close();
}

/**
 * Asks once, or again where the connection was kept and the gateway had closed it when the request came: RFC 9112 §9.3.1 has clients
 * do so with what may be repeated, and these questions may.
 */
async function statusOf(soak: Soak, asked: Asked & { agent: Agent }, tries = 3): Promise<number> {
  const { method, path, token, body, agent: dispatcher } = asked;
  try {
    const reply = await request(soak.gateway.url + path, {
      ...{ method, dispatcher },
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body }),
    });
    await reply.body.dump();
    return reply.statusCode;
  } catch (error) {
    const code = systemCode(error);
    const isClosed = code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
    if (!isClosed || tries === 1) throw error;
    return statusOf(soak, asked, tries - 1);
  }
}

/** A caller who asks and leaves. */
async function leaveOn(soak: Soak): Promise<void> {
  while (!soak.isOver) {
    const signal = AbortSignal.timeout(1 + pick(soak.random, 100));
    await request(`${soak.gateway.url}/v1/soak/slow`, { signal }).catch(() => undefined);
  }
}

async function startService(port: number): Promise<ChildProcess> {
  const program = new URL('gateway-service.ts', import.meta.url).pathname;
  const child = endWithUs(
    spawn(process.execPath, [program, `${port}`], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  await once(child.stdout, 'data');
  return child;
}

/** Ends one of the services, and starts it again a little later. */
async function replace(
  { random }: Soak,
  { services, ports, signal }: { services: ChildProcess[]; ports: readonly number[]; signal: NodeJS.Signals },
): Promise<void> {
  const at = pick(random, services.length);
  const service = services[at];
  const port = ports[at];
  if (service === undefined || port === undefined) return;
  const ended = once(service, 'exit');
  service.kill(signal);
  await ended;
  await sleep(pick(random, 500));
  services[at] = await startService(port);
}

/** When all is over nobody is inside any more. */
async function checkEmpty(soak: Soak): Promise<void> {
  const inside = async (): Promise<number> => {
    const text = await (await request(`${soak.gateway.url}/metrics`)).body.text();
    const held = text.matchAll(/^nearcast_gateway_(?:inside|upstream)_requests\{.*\} (\d+)$/gm);
    return [...held].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  await until(inside, (count) => count === 0).catch(() => soak.failures.push('places were never given back'));
}
