import { readFileSync } from 'node:fs';
import { readFile, readdir, readlink } from 'node:fs/promises';
import type { Socket } from 'node:net';

import { readConfig, type ApplianceConfig } from '../../../appliance/config.ts';
import type { PullLink } from '../../../appliance/pull/pull-link.ts';
import { PoolServing } from '../../../appliance/serving/pool.ts';
import type { FileStore } from '../../../appliance/store/file-store.ts';
import type { FileScope } from '../../../common/core/tokens/delivery-token.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createKeyring } from '../../../common/runtime/keyring.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';
import { putFile, seededBytes, testBundle, testFile, testToken, type TestFile } from './content.ts';
import { ControlDouble } from './control-double.ts';
import { requireAddon, temporaryDirectory, testDisk, type EngineKind } from './serving-box.ts';

interface Test {
  teardown(done: () => Promise<void>): void;
}

/** A pool of real worker processes over a real disk, the test being the master. */
export interface TestPool {
  readonly serving: PoolServing;
  readonly store: FileStore;
  readonly directory: string;
  readonly film: TestFile;
  readonly bundle: TestFile;
  readonly port: number;
  readonly url: string;
  /** Bytes told as served, all files: of all tokens, or of one kind. */
  readonly served: (scope?: FileScope) => number;
  /** A new token, to play unless said otherwise, or another one of the same session. */
  token(session?: string, scope?: FileScope): string;
  /** The path of the film with a token. */
  path(token?: string): string;
}

interface PoolOptions {
  kind: EngineKind;
  filmBytes?: number;
  /** Whether the film and its bundle are on the disk; true unless said otherwise. */
  holds?: boolean;
  miss?: ApplianceConfig['miss'];
  /** What gets what is not held. */
  pulls?: (store: FileStore) => PullLink;
}

/** Starts two workers that serve a film. */
export async function startPool(t: Test, options: PoolOptions): Promise<TestPool> {
  const pool = await makePool(t, options);
  const { port } = await pool.serving.start();
  return { ...pool, port, url: `http://127.0.0.1:${port}` };
}

/** The same before it is started. */
export async function makePool(t: Test, options: PoolOptions): Promise<Omit<TestPool, 'port' | 'url'>> {
  const directory = await temporaryDirectory(t);
  const control = new ControlDouble();
  const clock = createSystemClock();
  const keyring = createKeyring({ rootJwk: control.root.publicJwk, clock });
  await keyring.take(await control.keyset());
  const { disk: store } = await testDisk(directory);
  const film = testFile(seededBytes(options.filmBytes ?? 300_000, 3));
  const bundle = testBundle([film]);
  if (options.holds !== false) for (const file of [film, bundle]) await putFile(store, file);
  const miss = ['--miss', options.miss ?? 'refuse'];
  const argv = ['--control-url', 'http://127.0.0.1:1', '--data-dir', directory, '--port', '0', ...miss];
  const served = { play: 0, fill: 0, picture: 0 };
  const serving = new PoolServing({
    config: readConfig([...argv, '--workers', '2', '--engine', options.kind], {}),
    name: 'box',
    version: '1.2.3',
    clock,
    log: createSilentLog(),
    keyring,
    store,
    pulls: options.pulls?.(store),
    metrics: createMetrics({ name: 'box', version: '1.2.3' }),
    onServed: (_file, scope, bytes) => {
      served[scope] += bytes;
    },
    addon: options.kind === 'native' ? requireAddon() : undefined,
  });
  t.teardown(() => serving.close(0));
  const token = (session?: string, scope: FileScope = 'play'): string =>
    testToken(control.keys.tokens, { scope, bundle: bundle.file, ...(session !== undefined && { session }) });
  return {
    ...{ serving, store, directory, film, bundle },
    served: (scope) => (scope === undefined ? served.play + served.fill + served.picture : served[scope]),
    token,
    path: (made = token()) => `/v1/${made}/${film.file}.mp4`,
  };
}

/** The children of a process of this machine. */
export function childrenOf(pid = process.pid): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** Whether there is such a process, and it has not ended. */
export async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return status !== undefined && !/^\d+ \(.*\) [ZX]/s.test(status);
}

/** Which of the processes has the server's end of a connection; undefined while none has accepted it. */
export async function ownerOf(client: Socket, pids: readonly number[]): Promise<number | undefined> {
  const inode = await inodeOf({ local: client.remotePort ?? 0, remote: client.localPort ?? 0 });
  for (const pid of pids) {
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
      if (inode !== undefined && target === `socket:[${inode}]`) return pid;
    }
  }
  return undefined;
}

/** The inode of an established IPv4 socket of this machine; none has an inode before it is accepted. */
async function inodeOf(ports: { local: number; remote: number }): Promise<string | undefined> {
  const at = (port: number): string => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  const found = lines.find(([, local, remote]) => local === at(ports.local) && remote === at(ports.remote));
  return found?.[9] === '0' ? undefined : found?.[9];
}
