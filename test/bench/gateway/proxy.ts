// Plain proxying: a service that does next to nothing (nginx, which returns a text), asked directly, through the gateway, and through
// nginx as the proxy, in turns.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { median } from '../../support/bench.ts';
import { cpuSeconds } from '../fill/cpu.ts';
import { runHttpLoad, type HttpTurn } from '../http-load/http-load.ts';
import { freePort } from '../../support/free-port.ts';
import { pinnedTo, processTree, start, untilListening } from '../serve/server.ts';
import { startPlaneProcess } from './plane-process.ts';

/** What one run measured; the times are the medians of the turns. */
export interface ProxyRun {
  /** Answers in a second on one core, saturated. */
  readonly rps: { readonly ours: number; readonly nginx: number };
  /** What an answer costs of the core, which says the same where others use it too. */
  readonly cpuUs: { readonly ours: number; readonly nginx: number };
  readonly latency: Readonly<Record<Way, { readonly p50Us: number; readonly p99Us: number }>>;
  /** At which the latencies were measured. */
  readonly rate: number;
}

type Way = 'direct' | 'ours' | 'nginx';

/** A server that is asked. */
interface Asked {
  readonly port: number;
  readonly pid: number;
}

interface Turn extends HttpTurn {
  /** Processor time of the server for each answer. */
  readonly cpuUs: number;
}
const ways: readonly Way[] = ['direct', 'nginx', 'ours'];

const proxyCpu = 0;
const otherCpu = 1;
const rate = 1000;
const path = '/v1/bare/thing';

/** Measures with what it needs in a folder. */
export async function measureProxy(
  { folder, load }: { folder: string; load: string },
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<ProxyRun> {
  const requests = join(folder, 'proxied');
  await writeFile(requests, `GET ${path} HTTP/1.1\r\nHost: gateway.test\r\nAccept: */*\r\n\r\n\0`);
  const turn = async ({ port, pid }: Asked, paced: boolean): Promise<Turn> => {
    const options = {
      ...{ port, requests, connections: paced ? 16 : 64, rate: paced ? rate : 0 },
      ...{ bodyStart: '{"bare"', cpu: otherCpu },
    };
    await runHttpLoad(load, { ...options, seconds: Math.min(2, seconds), warmSeconds: 0 });
    const before = await cpuSeconds(await processTree(pid));
    const seen = await runHttpLoad(load, { ...options, seconds, warmSeconds: 0 });
    const usedS = (await cpuSeconds(await processTree(pid))) - before;
    return { ...seen, cpuUs: (usedS * 1e6) / seen.answered };
  };
  // Saturated, the service is beside the load generator, so that a proxy has its core to itself. The generator never sleeps when
  // it is paced, so the service is then beside the proxy, which has next to nothing to do.
  const saturated = await withServers(folder, otherCpu, (servers) =>
    inTurns(rounds, ['nginx', 'ours'], (way) => turn(servers[way], false)),
  );
  const paced = await withServers(folder, proxyCpu, (servers) =>
    inTurns(rounds, ways, (way) => turn(servers[way], true)),
  );
  const rps = (way: Way): number =>
    median(saturated[way].map(({ answered, seconds: took }) => answered / took));
  const cpuUs = (way: Way): number => median(saturated[way].map((seen) => seen.cpuUs));
  const latency = (way: Way): ProxyRun['latency'][Way] => ({
    p50Us: median(paced[way].map(({ p50Us }) => p50Us)),
    p99Us: median(paced[way].map(({ p99Us }) => p99Us)),
  });
  return {
    rps: { ours: rps('ours'), nginx: rps('nginx') },
    cpuUs: { ours: cpuUs('ours'), nginx: cpuUs('nginx') },
    latency: { direct: latency('direct'), ours: latency('ours'), nginx: latency('nginx') },
    rate,
  };
}

async function inTurns(
  rounds: number,
  of: readonly Way[],
  turn: (way: Way) => Promise<Turn>,
): Promise<Record<Way, Turn[]>> {
  const turns: Record<Way, Turn[]> = { direct: [], ours: [], nginx: [] };
  for (let round = 0; round < rounds; round++) {
    for (const way of of) {
      const now = await turn(way);
      if (now.failed + now.refused + now.dropped > 0)
        throw new Error(`wrong answers of ${way}: ${JSON.stringify(now)}`);
      turns[way].push(now);
    }
  }
  return turns;
}

async function withServers<T>(
  folder: string,
  serviceCpu: number,
  use: (servers: Record<Way, Asked>) => Promise<T>,
): Promise<T> {
  const text = JSON.stringify({ bare: 'x'.repeat(1000) });
  const service = await startNginx(folder, serviceCpu, {
    server: `location / { default_type application/json; return 200 '${text}'; }`,
  });
  const proxy = await startNginx(folder, proxyCpu, {
    http: `upstream service { server 127.0.0.1:${service.port}; keepalive 64; keepalive_requests 1000000000; }`,
    server: `location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Request-Id $request_id; }`,
  });
  const flags = ['--gateway-upstreams', `/v1/bare=http://127.0.0.1:${service.port}`];
  const plane = await startPlaneProcess(proxyCpu, { titles: 0, viewers: 1, flags });
  try {
    return await use({ direct: service, nginx: proxy, ours: plane });
  } finally {
    await plane.stop();
    await proxy.stop();
    await service.stop();
  }
}

async function startNginx(
  folder: string,
  cpu: number,
  { http = '', server }: { http?: string; server: string },
): Promise<Asked & { stop: () => Promise<void> }> {
  const port = await freePort();
  const directory = join(folder, `nginx-${port}`);
  await mkdir(directory);
  const configuration = join(directory, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`); // prettier-ignore
  await writeFile(
    configuration,
    `daemon off; worker_processes 1; pid ${directory}/pid; error_log ${directory}/error.log crit;
events { worker_connections 1024; multi_accept on; use epoll; }
http {
  access_log off; server_tokens off; tcp_nodelay on; keepalive_timeout 300s; keepalive_requests 1000000000; keepalive_time 10h;
  ${temporary.join(' ')}
  ${http}
  server { listen 127.0.0.1:${port} backlog=1024; ${server} }
}
`,
  );
  const { pid, stop } = start([...pinnedTo(cpu), 'nginx', '-p', directory, '-c', configuration]);
  await untilListening(port);
  return { port, pid, stop };
}
