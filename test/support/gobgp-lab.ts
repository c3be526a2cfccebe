import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

const run = promisify(execFile);

/** Two gobgpd on this machine, with a session between them. */
export interface GobgpLab {
  /** The API of the box's. */
  readonly address: string;
  /** Asks one of them to do something, as `gobgp` does. */
  command(side: Side, text: string): Promise<string>;
  kill(side: Side): Promise<void>;
  start(side: Side): Promise<void>;
  close(): Promise<void>;
}

type Side = 'isp' | 'box';

/** Why the lab cannot be; undefined where it can. */
export async function gobgpLabMissing(): Promise<string | undefined> {
  const has = await run('gobgpd', ['--version']).then(
    () => true,
    () => false,
  );
  return has ? undefined : 'gobgpd is not installed (apt-get install gobgpd)';
}

const addresses = { isp: '127.0.9.1', box: '127.0.9.2' } as const;
const asOf = { isp: 65001, box: 65002 } as const;

/** Starts both; the session between them comes up by itself. */
export async function startGobgpLab(): Promise<GobgpLab> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-gobgp-'));
  const bgp = { isp: await freePort(), box: await freePort() };
  const api = { isp: await freePort(), box: await freePort() };
  const daemons = new Map<Side, ChildProcess>();
  const command = async (side: Side, text: string): Promise<string> => {
    const client = ['-u', '127.0.0.1', '-p', String(api[side])];
    return (await run('gobgp', [...client, ...text.split(' ')])).stdout;
  };
  const kill = async (side: Side): Promise<void> => {
    const daemon = daemons.get(side);
    if (daemon?.exitCode !== null || daemon.signalCode !== null) return;
    const exited = once(daemon, 'exit');
    daemon.kill('SIGKILL');
    await exited;
  };
  const start = async (side: Side): Promise<void> => {
    const peer = side === 'isp' ? 'box' : 'isp';
    const path = join(directory, `${side}.toml`);
    await writeFile(path, configOf(side, { port: bgp[side], peerPort: bgp[peer] }));
    const args = ['-f', path, '-t', 'toml', '--api-hosts', `127.0.0.1:${api[side]}`, '--pprof-disable'];
    const daemon = spawn('gobgpd', args, { stdio: 'ignore' });
    await once(daemon, 'spawn');
    daemons.set(side, daemon);
    for (let attempt = 0; attempt < 20; attempt++) {
      if (await command(side, 'global').then(() => true, () => false)) return; // prettier-ignore
    }
    throw new Error(`gobgpd of the ${side} does not answer`);
  };
  const close = async (): Promise<void> => {
    for (const side of daemons.keys()) await kill(side);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await start('isp');
    await start('box');
  } catch (error) {
    await close();
    throw error;
  }
  return { address: `127.0.0.1:${api.box}`, command, kill, start, close };
}

function configOf(side: Side, { port, peerPort }: { port: number; peerPort: number }): string {
  const peer = side === 'isp' ? 'box' : 'isp';
  const family = (name: string): string => `
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "${name}"`;
  return `
[global.config]
  as = ${asOf[side]}
  router-id = "${addresses[side]}"
  port = ${port}
  local-address-list = ["${addresses[side]}"]
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${addresses[peer]}"
    peer-as = ${asOf[peer]}
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = 6
    keepalive-interval = 2
    idle-hold-time-after-reset = 1
  [neighbors.transport.config]
    local-address = "${addresses[side]}"
    remote-port = ${peerPort}
    passive-mode = ${side === 'isp'}
${family('ipv4-unicast')}
${family('ipv6-unicast')}
`;
}
