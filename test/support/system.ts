import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { CommandContext } from '../../cli/context.ts';
import { startSystem, type DemoSystem } from '../../cli/demo/system.ts';
import { createTopology, type Topology } from '../../cli/demo/topology.ts';
import { createOutput } from '../../cli/output/output.ts';
import { serviceNames } from '../../control-plane/apart/interface.ts';
import { isApart } from './apart-variable.ts';

// Beside a system of the same test whose services do not run apart.
const apartOffset = 500;

/** All planes as real processes in a directory of their own. */
export interface TestSystem extends AsyncDisposable {
  readonly system: DemoSystem;
  readonly context: CommandContext;
  readonly dataDir: string;
}

/** Where every plane of a system listens whose ports are moved by `portOffset`. */
export function topologyAt(portOffset: number): Topology {
  if (!isApart()) return createTopology(portOffset);
  const topology = createTopology(portOffset + apartOffset);
  const names = serviceNames.filter((name) => name !== 'core');
  const first = topology.controlPort + 3;
  return { ...topology, apart: names.map((name, at) => ({ name, port: first + at })) };
}

/** Starts every plane on ports moved by `portOffset`; disposing stops them and removes their data. */
export async function startTestSystem(options: {
  portOffset: number;
  /** More of the environment, which every process gets. */
  env?: NodeJS.ProcessEnv;
  /** How players reach steering, where something stands before it. */
  steeringUrl?: string;
}): Promise<TestSystem> {
  const env = { ...process.env, ...options.env };
  const dataDir = await mkdtemp(join(tmpdir(), 'nearcast-system-'));
  const { signal } = new AbortController();
  const steeringUrl = options.steeringUrl === undefined ? {} : { steeringUrl: options.steeringUrl };
  const topology = { ...topologyAt(options.portOffset), ...steeringUrl };
  const removeData = () => rm(dataDir, { recursive: true, force: true });
  const system = await startSystem({ dataDir, topology, env, signal }).catch(async (error: unknown) => {
    await removeData();
    throw error;
  });
  await system.settled();
  const output = createOutput({ json: false, stdout: process.stderr, stderr: process.stderr });
  return {
    system,
    dataDir,
    context: { api: system.api, output, signal },
    async [Symbol.asyncDispose]() {
      await system.stop();
      await removeData();
    },
  };
}
