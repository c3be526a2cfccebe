import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { EnrolmentCodeReply } from '../../common/contract/credentials.ts';
import { NodeList } from '../../common/contract/nodes.ts';
import { coded } from '../../common/runtime/errors.ts';
import { createApi, type Api } from '../api.ts';
import { startProcess, type DemoProcess } from './processes.ts';
import type { DemoNode, Topology } from './topology.ts';

/** All of Nearcast on this machine, each plane a process. */
export interface DemoSystem {
  readonly api: Api;
  readonly topology: Topology;
  readonly processes: ReadonlyMap<string, DemoProcess>;
  start(name: string): Promise<DemoProcess>;
  /** Waits until every box has its lease. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

interface SystemOptions {
  readonly dataDir: string;
  readonly topology: Topology;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

const settleTimeoutMs = 20_000;
const settlePollMs = 100;
/** A gentle cap, so that the fill can be watched and the word "within caps" means something. */
export const demoFillCapBytesPerSecond = 40 * 1024 * 1024;
const capacityBytes = 8 * 1024 ** 3;

/** Starts control plane, steering, encoder, origin and the boxes on one data directory; what is enrolled there stays so. */
export async function startSystem(options: SystemOptions): Promise<DemoSystem> {
  const { dataDir, topology, signal } = options;
  await mkdir(join(dataDir, 'logs'), { recursive: true, mode: 0o700 });
  const processes = new Map<string, DemoProcess>();
  const launch = async (name: string, argv: readonly string[]) => {
    const logFile = join(dataDir, 'logs', `${name}.log`);
    const started = await startProcess({
      name,
      argv,
      env: options.env,
      logFile,
      signal,
    });
    processes.set(name, started);
    return started;
  };
  const start = (name: string) => launch(name, argvOf(name, options));
  const stop = async () => {
    const running = async (name: string) => {
      await processes.get(name)?.stop();
    };
    await Promise.all([...topology.nodes, ...topology.apart].map(({ name }) => running(name)));
    await running('control-plane');
  };
  try {
    await start('control-plane');
    for (const { name } of topology.apart) await start(name);
    const token = (await readFile(join(dataDir, 'control-plane', 'operator.token'), 'utf8')).trim();
    const api = createApi({ server: topology.controlUrl, token, signal });
    for (const node of topology.nodes) await prepareNode(api, node, dataDir);
    await startInTurn(topology.nodes, start);
    return {
      api,
      topology,
      processes,
      start,
      stop,
      settled: () => waitUntilReady(api, topology, signal),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** As many at a time as there are cores: more would only make each of them slow. */
async function startInTurn(
  nodes: readonly DemoNode[],
  start: (name: string) => Promise<unknown>,
): Promise<void> {
  const waiting = [...nodes];
  const lane = async () => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) await start(node.name);
  };
  // All lanes to their end, whatever becomes of one: what is still starting could not be stopped.
  const lanes = await Promise.allSettled(Array.from({ length: availableParallelism() }, lane));
  for (const one of lanes) if (one.status === 'rejected') throw one.reason;
}

function argvOf(name: string, { dataDir, topology }: SystemOptions): string[] {
  const { dns } = topology;
  const blobs = `file://${join(dataDir, 'blobs')}`;
  // A process each: workers would take this machine's memory and serve its one viewer no better.
  const small = ['--workers', '0'];
  const home = ['--data-dir', join(dataDir, name)];
  const control = ['control-plane', ...home, '--steering-url', topology.steeringUrl, '--blobs-url', blobs];
  const elsewhere = topology.apart.flatMap((one) => [
    ...['--service-urls', `${one.name}=http://127.0.0.1:${String(one.port)}`],
  ]);
  if (name === 'control-plane') {
    const services = elsewhere.length === 0 ? [] : ['--services', 'core', ...elsewhere];
    return [...control, '--port', String(topology.controlPort), ...services];
  }
  const service = topology.apart.find((one) => one.name === name);
  if (service !== undefined) {
    return [
      ...[...control, '--port', String(service.port), '--services', name, ...elsewhere],
      ...['--service-urls', `core=${topology.controlUrl}`, '--public-url', topology.controlUrl],
      ...['--service-token-file', join(dataDir, 'control-plane', 'service.token')],
      ...['--trusted-proxies', '127.0.0.1/32'],
    ];
  }
  const node = topology.nodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw coded('NODE_UNKNOWN', name);
  const common = [
    ...[...home, '--control-url', topology.controlUrl, '--host', node.host, '--port', String(node.port)],
    ...['--enrolment-code-file', codeFile(node, dataDir)],
  ];
  switch (node.role) {
    case 'steering':
      return [
        'steering',
        ...common,
        '--dns-host',
        dns.host,
        '--dns-port',
        String(dns.port),
        '--zone',
        dns.zone,
      ];
    case 'encoder':
      return ['encoder', ...common, '--blobs-url', blobs];
    case 'origin':
      return ['appliance', '--origin', ...common, ...small, '--blobs-url', blobs];
    case 'appliance':
      return [
        ...['appliance', ...common, ...small, '--routes-file', routesFile(node, dataDir)],
        ...['--capacity-bytes', String(capacityBytes)],
        ...['--fill-cap-bytes-per-second', String(demoFillCapBytesPerSecond)],
      ];
  }
}

/** Writes the node's routes, and a fresh enrolment code where it has not joined yet. */
async function prepareNode(api: Api, node: DemoNode, dataDir: string): Promise<void> {
  await mkdir(join(dataDir, node.name), { recursive: true, mode: 0o700 });
  if (node.routes !== undefined)
    await writeFile(routesFile(node, dataDir), JSON.stringify(node.routes, undefined, 2));
  if (existsSync(join(dataDir, node.name, 'identity.json'))) return;
  const { role, name, site, cluster } = node;
  const place = site === undefined ? {} : { site, cluster };
  const body = { role, name, ...place };
  const { code } = await api.call({
    method: 'POST',
    path: '/v1/enrolment-codes',
    body,
    reply: EnrolmentCodeReply,
  });
  await writeFile(codeFile(node, dataDir), code, { mode: 0o600 });
}

function codeFile(node: DemoNode, dataDir: string): string {
  return join(dataDir, `${node.name}.code`);
}

function routesFile(node: DemoNode, dataDir: string): string {
  return join(dataDir, `${node.name}.routes.json`);
}

async function waitUntilReady(api: Api, topology: Topology, signal: AbortSignal): Promise<void> {
  const boxes = topology.nodes.filter((node) => node.role === 'appliance' || node.role === 'origin');
  const deadlineMs = performance.now() + settleTimeoutMs;
  for (;;) {
    const { nodes } = await api.call({ path: '/v1/nodes', reply: NodeList });
    const waiting = boxes.filter((box) => nodes.find((node) => node.id === box.name)?.state !== 'ready');
    if (waiting.length === 0) return;
    if (performance.now() > deadlineMs) {
      throw coded('TIMEOUT', `${waiting.map((box) => box.name).join(', ')} did not become ready`);
    }
    await sleep(settlePollMs, undefined, { signal });
  }
}
