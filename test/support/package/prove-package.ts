import assert from 'node:assert/strict';
import { execFile, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { createTitle, waitUntilLive } from '../../../cli/commands/title.ts';
import { playThrough, startSession } from '../../../cli/demo/check.ts';
import { HeadlessPlayer, parseMultivariant } from '../../../cli/demo/player.ts';
import { EnrolmentCodeReply } from '../../../common/contract/credentials.ts';
import type { TitleView } from '../../../common/contract/titles.ts';
import { buildAppliance } from '../../../packaging/build-appliance.ts';
import type { ProofOptions, ProofResult } from '../proof.ts';
import { startTestSystem, type TestSystem } from '../system.ts';
import { openDebianChroot, type DebianChroot } from './debian-chroot.ts';

const root = new URL('../../..', import.meta.url).pathname;
/** Not one of the demo's addresses; port 80, which only root and who was given that right may listen on. */
const boxHost = '127.0.3.1';
const customer = '192.0.2.99';
const readyTimeoutMs = 20_000;
const steeredTimeoutMs = 15_000;
const data = '/var/lib/nearcast-appliance';
const settings = '/etc/nearcast';

/**
 * In a fresh Debian 12 each round: the package is installed without network, enrolled with a code, fills, serves every byte of
 * a title on port 80, drains, serves again after an upgrade without a new code, and is purged.
 *
 * @returns why this machine cannot prove it, where it cannot.
 */
export async function provePackage(options: ProofOptions): Promise<ProofResult | string> {
  await using first = await openOrSay();
  if (typeof first.chroot === 'string') return first.chroot;
  const out = await mkdtemp(join(tmpdir(), 'nearcast-deb-'));
  try {
    const built = await buildAppliance({ root, outPath: out, compression: 'fast', say: () => undefined });
    await using running = await startTestSystem({ portOffset: 14_000 });
    const film = await createTitle(running.context, await makeFilm(out), { pin: true });
    const lines: string[] = [];
    for (let round = 1; round <= options.rounds; round++) {
      await using again = round === 1 ? undefined : await openOrSay();
      const chroot: DebianChroot | string = again?.chroot ?? first.chroot;
      assert(typeof chroot !== 'string');
      const boxName = `packaged-${round}`;
      const said = await proveOnce({ chroot, running, titleId: film.id, deb: built.path, boxName });
      lines.push(...said.map((line) => `Round ${round}: ${line}`));
    }
    return { holds: true, lines };
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

async function openOrSay(): Promise<{ chroot: DebianChroot | string } & AsyncDisposable> {
  const chroot = await openDebianChroot();
  return {
    chroot,
    async [Symbol.asyncDispose]() {
      if (typeof chroot !== 'string') await chroot[Symbol.asyncDispose]();
    },
  };
}

interface Round {
  readonly chroot: DebianChroot;
  readonly running: TestSystem;
  readonly titleId: string;
  readonly deb: string;
  readonly boxName: string;
}

async function proveOnce(round: Round): Promise<string[]> {
  const { chroot, deb, running, boxName } = round;
  await copyFile(deb, join(chroot.path, 'root', basename(deb)));
  const install = `dpkg -i /root/${basename(deb)}`;
  const installed = await succeed(chroot, install);
  assert.match(installed, /nearcast-appliance enrol CODE --control-url/, 'it says what to do next');
  await configure(chroot);
  const refused = await chroot.run('nearcast-appliance enrol nc1.wrong --control-url http://127.0.0.1:1');
  assert.equal(refused.code, 77, refused.text);
  const enrolled = await enrol(round);

  let box = await startBox(chroot);
  try {
    const title = await waitUntilLive(running.context, round.titleId, [boxName]);
    const played = await play(round, title);
    await provesNative();
    await drain(box);
    await succeed(chroot, install);
    box = await startBox(chroot);
    await play(round, title);
    await drain(box);
    await purge(chroot);
    return [
      'installed without network',
      enrolled.trim(),
      `${played}, natively`,
      'upgraded, served again, purged',
    ];
  } finally {
    box.kill('SIGKILL');
  }
}

/** The shipped settings with another address, as an engineer edits them, and the routes of a site of its own. */
async function configure({ path }: DebianChroot): Promise<void> {
  const file = join(path, settings, 'appliance.json');
  const shipped = await readFile(file, 'utf8');
  await writeFile(file, shipped.replace('"host": "::"', `"host": "${boxHost}"`));
  const routes = [{ prefix: '192.0.2.0/24', asPathLength: 0, class: 'embedded' }];
  await writeFile(join(path, settings, 'routes.json'), JSON.stringify(routes));
}

async function enrol({ chroot, running, boxName }: Round): Promise<string> {
  const { api } = running.context;
  const body = { role: 'appliance', name: boxName, site: 'isp-c', cluster: 'isp-c' };
  const path = '/v1/enrolment-codes';
  const { code } = await api.call({ method: 'POST', path, body, reply: EnrolmentCodeReply });
  const command = `nearcast-appliance enrol ${code} --control-url ${running.system.topology.controlUrl}`;
  const said = await succeed(chroot, command, 'of-the-host');
  assert.match(said, new RegExp(`enrolled as ${boxName} at site isp-c`));
  const mode = await succeed(chroot, `stat -c '%a %U' ${data}/identity.json ${data}`);
  assert.equal(mode, '600 nearcast-appliance\n750 nearcast-appliance\n');
  return said.split('\n')[0] ?? '';
}

/** Starts the service's program and waits until it says that it is ready. */
async function startBox(chroot: DebianChroot): Promise<ChildProcess> {
  const box = chroot.start(['nearcast-appliance']);
  const lines: string[] = [];
  const ready = Promise.withResolvers<undefined>();
  for (const stream of [box.stdout, box.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      if (lines.push(line) > 20) lines.shift();
      if (line.includes('"msg":"ready"')) ready.resolve(undefined);
    });
  }
  box.once('exit', () => ready.reject(new Error(`the box did not start:\n${lines.join('\n')}`)));
  const timer = setTimeout(() => {
    ready.reject(new Error(`the box was not ready in time:\n${lines.join('\n')}`));
  }, readyTimeoutMs);
  await ready.promise.finally(() => {
    clearTimeout(timer);
  });
  const status = await readFile(`/proc/${box.pid ?? 0}/status`, 'utf8');
  assert.doesNotMatch(status, /^Uid:\s+0\b/m, 'it does not run as root');
  assert.match(status, /^CapEff:\s+0*400$/m, 'it may listen on low ports and nothing else');
  return box;
}

/** A customer of the box's ISP plays to the end: every byte comes from the box and is the encoder's. */
async function play({ running }: Round, title: TitleView): Promise<string> {
  const { system, context } = running;
  const player = await untilSteered(async () => {
    const session = await startSession({ ...context, system, title }, customer);
    const text = await (await fetch(session.hlsUrl)).text();
    return new HeadlessPlayer(parseMultivariant(text, session.hlsUrl), context.signal);
  });
  const said = await playThrough(player, () => Promise.resolve());
  assert.deepEqual([...player.fetched.bytesByHost.keys()], [boxHost], said);
  return said;
}

/** The addon accepts the connections: what serves without it has no such metric above zero. */
async function provesNative(): Promise<void> {
  const metrics = await (await fetch(`http://${boxHost}/metrics`)).text();
  assert.match(metrics, /^nearcast_accepted_connections_total [1-9]/m, 'it serves natively');
}

/** Steering offers a box once it has seen it healthy itself. */
async function untilSteered(open: () => Promise<HeadlessPlayer>): Promise<HeadlessPlayer> {
  const deadlineMs = performance.now() + steeredTimeoutMs;
  for (;;) {
    const player = await open();
    if (player.current.playlists.every((url) => new URL(url).host === boxHost)) return player;
    assert(performance.now() < deadlineMs, `steering sends the client to ${player.current.id}`);
    await sleep(200);
  }
}

async function drain(box: ChildProcess): Promise<void> {
  const exited = once(box, 'exit');
  box.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null], 'SIGTERM ends it well');
}

async function purge(chroot: DebianChroot): Promise<void> {
  await writeFile(join(chroot.path, data, 'notes.txt'), 'of another');
  await succeed(chroot, 'dpkg -r nearcast-appliance');
  await access(join(chroot.path, data, 'identity.json'));
  const said = await succeed(chroot, 'dpkg -P nearcast-appliance');
  assert.match(said, /holds files of others, which stay/);
  assert.equal(
    await succeed(chroot, `ls -A ${data}; ls ${settings} 2>&1 || true`),
    `notes.txt\nls: cannot access '${settings}': No such file or directory\n`,
  );
}

async function succeed(
  chroot: DebianChroot,
  command: string,
  network?: 'none' | 'of-the-host',
): Promise<string> {
  const { code, text } = await chroot.run(command, network);
  assert.equal(code, 0, `${command.split(' ').slice(0, 2).join(' ')}: ${text}`);
  return text;
}

/** A film of eight seconds: long enough for several segments. */
async function makeFilm(folder: string): Promise<string> {
  const path = join(folder, 'film.mp4');
  await promisify(execFile)('ffmpeg', [
    ...['-nostdin', '-loglevel', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=24:duration=8'],
    ...['-f', 'lavfi', '-i', 'sine=frequency=330:duration=8', '-c:v', 'libx264', '-preset', 'veryfast'],
    ...['-pix_fmt', 'yuv420p', '-c:a', 'aac', '-ac', '2', path],
  ]);
  return path;
}
