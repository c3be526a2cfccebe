import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Two BIRD daemons in network namespaces of their own, joined by a line: an ISP's router, and that of a box. */
export interface BirdLab {
  /** The control socket of the box's BIRD. */
  readonly socket: string;
  /** Gives the ISP's router other routes and another way to tell them. */
  announce(routes: IspRoutes): Promise<void>;
  /** Asks one of them to do something, as `birdc` does. */
  command(side: Side, text: string): Promise<string>;
  /** Cuts the line, or mends it. */
  setLine(state: 'up' | 'down'): Promise<void>;
  /** Ends or starts a daemon. */
  kill(side: Side, signal?: NodeJS.Signals): Promise<void>;
  start(side: Side): Promise<void>;
  signal(side: Side, signal: NodeJS.Signals): void;
  close(): Promise<void>;
}

type Side = 'isp' | 'box';

/** What the ISP's router announces. */
export interface IspRoutes {
  readonly prefixes4: readonly string[];
  readonly prefixes6?: readonly string[];
  /** Statements of BIRD's filter language that each route passes. */
  readonly filter?: string;
}

const addresses = { isp: '10.98.0.1', box: '10.98.0.2' } as const;

/** Why the lab cannot be; undefined where it can. */
export async function birdLabMissing(): Promise<string | undefined> {
  const has = (program: string, ...args: string[]): Promise<boolean> =>
    run(program, args).then(
      () => true,
      () => false,
    );
  if (!(await has('bird', '--version'))) return 'bird 2 is not installed (apt-get install bird2)';
  if (!(await has('unshare', '--net', 'true'))) return 'network namespaces are not permitted here';
  return (await has('ip', '-V')) ? undefined : 'ip is not installed (apt-get install iproute2)';
}

/** Starts both daemons; the session between them comes up by itself. */
export async function startBirdLab(first: IspRoutes): Promise<BirdLab> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-bird-'));
  const lab = new Lab(directory);
  try {
    await lab.open(first);
    return lab;
  } catch (error) {
    await lab.close();
    throw error;
  }
}

class Lab implements BirdLab {
  readonly #directory: string;
  /** Hold the namespaces. */
  readonly #holders = new Map<Side, ChildProcess>();
  readonly #daemons = new Map<Side, ChildProcess>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  get socket(): string {
    return this.#path('box.ctl');
  }

  async open(first: IspRoutes): Promise<void> {
    for (const side of ['isp', 'box'] as const) {
      const holder = spawn('unshare', ['--net', 'sleep', '600'], { stdio: 'ignore' });
      await once(holder, 'spawn');
      this.#holders.set(side, holder);
    }
    await this.#untilApart();
    const [isp, box] = [this.#pid('isp'), this.#pid('box')];
    await this.#in('isp', 'ip', 'link', 'add', 'line', 'type', 'veth', 'peer', 'name', 'line', 'netns', box);
    for (const [side, pid] of [
      ['isp', isp],
      ['box', box],
    ] as const) {
      // prettier-ignore
      const last = addresses[side].at(-1) ?? '';
      await this.#in(side, 'ip', 'link', 'set', 'lo', 'up');
      await this.#in(side, 'ip', 'addr', 'add', `${addresses[side]}/24`, 'dev', 'line');
      await this.#in(side, 'ip', 'addr', 'add', `fd98::${last}/64`, 'dev', 'line', 'nodad');
      await this.#in(side, 'ip', 'link', 'set', 'line', 'up');
      if (pid === '') throw new Error('a namespace has no process');
    }
    await writeFile(this.#path('isp.conf'), ispConfig(first));
    await writeFile(this.#path('box.conf'), boxConfig);
    await this.start('isp');
    await this.start('box');
  }

  async announce(routes: IspRoutes): Promise<void> {
    await writeFile(this.#path('isp.conf'), ispConfig(routes));
    await this.command('isp', 'configure');
  }

  async command(side: Side, text: string): Promise<string> {
    const { stdout } = await run('birdc', ['-s', this.#path(`${side}.ctl`), ...text.split(' ')]);
    return stdout;
  }

  async setLine(state: 'up' | 'down'): Promise<void> {
    await this.#in('isp', 'ip', 'link', 'set', 'line', state);
  }

  async start(side: Side): Promise<void> {
    const args = ['-f', '-c', this.#path(`${side}.conf`), '-s', this.#path(`${side}.ctl`)];
    const daemon = spawn('nsenter', ['-n', '-t', this.#pid(side), 'bird', ...args], { stdio: 'ignore' });
    await once(daemon, 'spawn');
    this.#daemons.set(side, daemon);
    for (let attempt = 0; attempt < 100; attempt++) {
      if (await this.command(side, 'show status').then(() => true, () => false)) return; // prettier-ignore
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`BIRD of the ${side} does not answer`);
  }

  async kill(side: Side, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const daemon = this.#daemons.get(side);
    if (daemon?.exitCode !== null || daemon.signalCode !== null) return;
    const exited = once(daemon, 'exit');
    daemon.kill(signal);
    await exited;
  }

  signal(side: Side, signal: NodeJS.Signals): void {
    this.#daemons.get(side)?.kill(signal);
  }

  async close(): Promise<void> {
    for (const side of this.#daemons.keys()) {
      this.signal(side, 'SIGCONT');
      await this.kill(side);
    }
    // The line goes with the namespaces, and those with their processes.
    for (const holder of this.#holders.values()) {
      const exited = once(holder, 'exit');
      holder.kill('SIGKILL');
      await exited;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #pid(side: Side): string {
    return String(this.#holders.get(side)?.pid ?? '');
  }

  async #in(side: Side, ...command: string[]): Promise<void> {
    await run('nsenter', ['-n', '-t', this.#pid(side), ...command]);
  }

  /** `unshare` is spawned before it has made its namespace. */
  async #untilApart(): Promise<void> {
    const netOf = async (pid: string): Promise<string> =>
      (await run('readlink', [`/proc/${pid}/ns/net`])).stdout;
    const own = await netOf('self');
    for (const side of ['isp', 'box'] as const) {
      for (let attempt = 0; (await netOf(this.#pid(side))) === own; attempt++) {
        if (attempt === 100) throw new Error('no network namespace came to be');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}

function ispConfig({ prefixes4, prefixes6 = [], filter = '' }: IspRoutes): string {
  const routesOf = (prefixes: readonly string[]): string =>
    prefixes.map((prefix) => `route ${prefix} unreachable;`).join(' ');
  return `
router id ${addresses.isp};
protocol device {}
protocol static s4 { ipv4; ${routesOf(prefixes4)} }
protocol static s6 { ipv6; ${routesOf(prefixes6)} }
filter told { ${filter} accept; }
protocol bgp box {
  local ${addresses.isp} as 65001; neighbor ${addresses.box} as 65002;
  connect delay time 1; connect retry time 1; error wait time 1,2; hold time 6; keepalive time 2;
  ipv4 { import none; export filter told; };
  ipv6 { import none; export filter told; next hop address fd98::1; };
}
`;
}

const boxConfig = `
router id ${addresses.box};
protocol device { scan time 1; }
protocol bgp isp {
  local ${addresses.box} as 65002; neighbor ${addresses.isp} as 65001;
  connect delay time 1; connect retry time 1; error wait time 1,2; hold time 6; keepalive time 2;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
`;
