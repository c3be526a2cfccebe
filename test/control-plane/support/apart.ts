import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';

import { serviceNames, type ServiceName } from '../../../control-plane/apart/interface.ts';
import { freePort } from '../../support/free-port.ts';
import {
  startControlPlane,
  startPlane,
  temporaryDir,
  type PlaneOptions,
  type TestPlane,
} from './control-plane.ts';

type Apart = Exclude<ServiceName, 'core'>;

/** Every service that the core can do without in its process. */
const apartNames = serviceNames.filter((name) => name !== 'core');

/** A control plane whose services run each by itself, with their own records and real HTTP between them. */
export interface ApartPlane extends TestPlane {
  /** Stops the core alone; it comes back under the same address. */
  stopCore(): Promise<void>;
  startCore(): Promise<void>;
  /** Stops one of them. */
  stopService(name: Apart): Promise<void>;
  startService(name: Apart): Promise<void>;
  /** Where each listens. */
  readonly urls: ReadonlyMap<Apart, string>;
  /** What the services know one another by. */
  readonly tokenFile: string;
}

/** Starts one; the core is the gateway. */
export async function startApart(t: Pick<Test, 'teardown'>, options: PlaneOptions = {}): Promise<ApartPlane> {
  const dataDir = options.dataDir ?? (await temporaryDir(t));
  const urls = new Map<Apart, string>();
  for (const name of apartNames) urls.set(name, `http://127.0.0.1:${await freePort()}`);
  const elsewhere = [...urls].flatMap(([name, url]) => ['--service-urls', `${name}=${url}`]);
  const flags = [...(options.flags ?? []), '--services', 'core', ...elsewhere];
  const core = await startPlane(t, { ...options, dataDir, flags });
  const tokenFile = join(dataDir, 'service.token');
  const stops = new Map<Apart, () => Promise<void>>();
  const startService = async (name: Apart): Promise<void> => {
    const home = join(dataDir, `of-${name}`);
    await mkdir(home, { recursive: true, mode: 0o700 });
    const { port } = new URL(urls.get(name) ?? '');
    const { stop } = await startControlPlane(t, {
      dataDir: home,
      clock: core.clock,
      flags: [
        ...[
          ...(options.flags ?? []),
          ...elsewhere,
          '--service-urls',
          `core=${core.url}`,
          '--services',
          name,
          '--port',
          port,
        ],
        ...['--service-token-file', tokenFile, '--public-url', core.url, '--trusted-proxies', '127.0.0.1/32'],
      ],
    });
    stops.set(name, stop);
  };
  const stopService = async (name: Apart): Promise<void> => {
    await stops.get(name)?.();
  };
  for (const name of apartNames) await startService(name);
  let { stop: stopCore } = core;
  const startCore = async (): Promise<void> => {
    const again = ['--port', new URL(core.url).port];
    ({ stop: stopCore } = await startControlPlane(t, {
      dataDir,
      clock: core.clock,
      flags: [...flags, ...again],
    }));
  };
  const stop = async (): Promise<void> => {
    await Promise.all(apartNames.map(stopService));
    await stopCore();
  };
  const cores = { stopCore: () => stopCore(), startCore };
  return { ...core, ...cores, stop, urls, tokenFile, startService, stopService };
}
