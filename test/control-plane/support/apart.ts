import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';

import { freePort } from '../../support/cuttable-way.ts';
import {
  startControlPlane,
  startPlane,
  temporaryDir,
  type PlaneOptions,
  type TestPlane,
} from './control-plane.ts';

type Apart = 'search' | 'playback';

/** A control plane whose services run each by itself, with their own records and real HTTP between them. */
export interface ApartPlane extends TestPlane {
  /** Stops one of them. */
  stopService(name: Apart): Promise<void>;
  startService(name: Apart): Promise<void>;
  /** Where each listens. */
  readonly urls: Readonly<Record<Apart, string>>;
  /** What the services know one another by. */
  readonly tokenFile: string;
}

/** Starts one; the core is the gateway. */
export async function startApart(t: Pick<Test, 'teardown'>, options: PlaneOptions = {}): Promise<ApartPlane> {
  const dataDir = options.dataDir ?? (await temporaryDir(t));
  const ports = { search: await freePort(), playback: await freePort() };
  const urls = {
    search: `http://127.0.0.1:${ports.search}`,
    playback: `http://127.0.0.1:${ports.playback}`,
  };
  const elsewhere = Object.entries(urls).flatMap(([name, url]) => ['--service-urls', `${name}=${url}`]);
  const flags = [...(options.flags ?? []), '--services', 'core', ...elsewhere];
  const core = await startPlane(t, { ...options, dataDir, flags });
  const tokenFile = join(dataDir, 'service.token');
  const stops = new Map<Apart, () => Promise<void>>();
  const startService = async (name: Apart): Promise<void> => {
    const home = join(dataDir, `of-${name}`);
    await mkdir(home, { recursive: true, mode: 0o700 });
    const { stop } = await startControlPlane(t, {
      dataDir: home,
      clock: core.clock,
      flags: [
        ...['--services', name, '--port', `${ports[name]}`, '--service-urls', `core=${core.url}`],
        ...['--service-token-file', tokenFile, '--public-url', core.url, '--trusted-proxies', '127.0.0.1/32'],
      ],
    });
    stops.set(name, stop);
  };
  const stopService = async (name: Apart): Promise<void> => {
    await stops.get(name)?.();
  };
  for (const name of ['search', 'playback'] as const) await startService(name);
  return { ...core, urls, tokenFile, startService, stopService };
}
