import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { CommandContext } from '../../cli/context.ts';
import { startSystem, type DemoSystem } from '../../cli/demo/system.ts';
import { createTopology } from '../../cli/demo/topology.ts';
import { createOutput } from '../../cli/output/output.ts';
import { serviceNames } from '../../control-plane/apart/interface.ts';
import { apartVariable } from './apart-variable.ts';

// Beside a system of the same test that does not run apart.
const apartOffset = 500;

/** All planes as real processes in a directory of their own. */
export interface TestSystem extends AsyncDisposable {
  readonly system: DemoSystem;
  readonly context: CommandContext;
  readonly dataDir: string;
}

/** Starts every plane on ports moved by `portOffset`; disposing stops them and removes their data. */
export async function startTestSystem(options: {
  portOffset: number;
  /** More of the environment, which every process gets. */
  env?: NodeJS.ProcessEnv;
  /** How players reach steering, where something stands before it. */
  steeringUrl?: string;
}): Promise<TestSystem> {
  const isApart = process.env[apartVariable] !== undefined;
  const portOffset = options.portOffset + (isApart ? apartOffset : 0);
  const names = serviceNames.filter((name) => name !== 'core');
  const apart = names.map((name, at) => ({ name, port: 7073 + at + portOffset }));
  const env = { ...process.env, ...options.env };
  const dataDir = await mkdtemp(join(tmpdir(), 'nearcast-system-'));
  const { signal } = new AbortController();
  const steeringUrl = options.steeringUrl === undefined ? {} : { steeringUrl: options.steeringUrl };
  const topology = { ...createTopology(portOffset), ...steeringUrl, ...(isApart && { apart }) };
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
