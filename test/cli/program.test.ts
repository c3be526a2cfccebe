import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';

import t from 'tap';

import {
  enrolNode,
  startPlane,
  temporaryDir,
  type TestPlane,
} from '../control-plane/support/control-plane.ts';

const bin = new URL('../../cli/bin.ts', import.meta.url).pathname;

/** Runs the command line as people do: a process of its own. */
async function nearcast(
  argv: string[],
  options: { cwd: string; env?: Record<string, string>; uid?: number },
) {
  const env = { ...process.env, HOME: options.cwd, ...options.env };
  const child = spawn(process.execPath, [bin, ...argv], {
    cwd: options.cwd,
    env,
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

function operatorOf({ url, dataDir }: TestPlane): Record<string, string> {
  return { NEARCAST_SERVER: url, NEARCAST_TOKEN_FILE: join(dataDir, 'operator.token') };
}

t.test('what is wrong is said with a code, and the exit code tells its kind', async (t) => {
  const cwd = await temporaryDir(t);
  const cases: [string[], number, RegExp][] = [
    [['stauts'], 64, /Did you mean status/],
    [['title', 'add'], 64, /missing required argument/],
    [['steer', 'explain'], 64, /--client/],
    [['demo', '--port-offset', '-3'], 64, /0 to 50000/],
    [['demo', 'missing.mp4'], 1, /PATH_UNREADABLE.*missing\.mp4/],
    [['status'], 77, /CREDENTIAL_MISSING.*--token-file/],
    [['--token-file', 'missing', 'status'], 77, /CREDENTIAL_MISSING.*missing/],
    [['control-plane', '--prot', '7070'], 78, /CONFIG_INVALID[^]*--port/],
  ];
  for (const [argv, code, message] of cases) {
    const run = await nearcast(argv, { cwd });
    t.equal(run.code, code, argv.join(' '));
    t.match(run.stderr, message, argv.join(' '));
  }
  for (const text of ['', 'x', '\u00ff\u0000', 'a line\nand another']) {
    await writeFile(join(cwd, 'token'), text);
    const run = await nearcast(['--token-file', 'token', 'status'], { cwd });
    t.equal(run.code, 77, JSON.stringify(text));
    t.match(run.stderr, /CREDENTIAL_INVALID.*the file token holds no token/);
  }
  await writeFile(join(cwd, 'token'), 'a.b.c');
  const gone = await nearcast(['--server', 'http://127.0.0.1:1', '--token-file', 'token', 'status'], { cwd });
  t.equal(gone.code, 69);
  t.match(gone.stderr, /CONTROL_UNREACHABLE.*127\.0\.0\.1:1/);
  const help = await nearcast(['--help'], { cwd });
  t.equal(help.code, 0);
  t.match(help.stdout, /Exit codes/);
});

t.test('tables for people, JSON for programs', async (t) => {
  const cwd = await temporaryDir(t);
  const plane = await startPlane(t);
  const env = operatorOf(plane);
  const empty = await nearcast(['appliance', 'list'], { cwd, env });
  t.match(empty.stdout, /No nodes yet/);
  const enrolled = await nearcast(['--json', 'appliance', 'enrol', 'isp-a-9', '--site', 'isp-a'], {
    cwd,
    env,
  });
  t.match((JSON.parse(enrolled.stdout) as { code: string }).code, /^nc1\./);
  const box = await enrolNode(plane, 'isp-a-1', { site: 'isp-a', cluster: 'isp-a' });
  await box.beat();
  const listed = await nearcast(['appliance', 'list'], { cwd, env });
  t.match(listed.stdout, /isp-a-1 +appliance +isp-a +isp-a +ready/);
  const json = await nearcast(['appliance', 'show', 'isp-a-1', '--json'], { cwd, env });
  t.equal(json.code, 0, json.stderr);
  t.match(JSON.parse(json.stdout), { id: 'isp-a-1', state: 'ready' });
  const drained = await nearcast(['appliance', 'drain', 'isp-a-1'], { cwd, env });
  t.match(drained.stdout, /isp-a-1 drains/);
  const shown = async (): Promise<string> =>
    (await nearcast(['appliance', 'show', 'isp-a-1'], { cwd, env })).stdout;
  t.match(await shown(), /drain +under way; the box does not say/);
  await box.beat({ liveSessions: 3 });
  t.match(await shown(), /3 live sessions[^]*drain +nobody has left yet/);
  await box.beat({ liveSessions: 2, drainEtaMs: 61_000 });
  t.match(await shown(), /drain +over in about 1:01/);
  await box.beat({ liveSessions: 0 });
  t.match(await shown(), /drain +nobody is served any more/);
  t.match((await nearcast(['status'], { cwd, env })).stdout, /titles: 0 live[^]*isp-a-1/);
  t.match((await nearcast(['fill', 'plan'], { cwd, env })).stdout, /isp-a-1/);
  t.match((await nearcast(['title', 'list'], { cwd, env })).stdout, /No titles yet/);
  t.match((await nearcast(['console'], { cwd, env })).stdout, new RegExp(`^${plane.url}/console/#token=`));
  const unknown = await nearcast(['title', 'show', 'nothing'], { cwd, env });
  t.equal(unknown.code, 1);
  t.match(unknown.stderr, /TITLE_UNKNOWN.*title list/);
  const nobody = await nearcast(['appliance', 'show', '../../v1/titles'], { cwd, env });
  t.not(nobody.code, 0, 'a name is not a path');
});

t.test('sources that cannot be uploaded', async (t) => {
  const cwd = await temporaryDir(t);
  const env = operatorOf(await startPlane(t));
  await writeFile(join(cwd, 'empty.mp4'), '');
  await mkdir(join(cwd, 'folder'));
  for (const [file, code] of [
    ['empty.mp4', 'SOURCE_EMPTY'],
    ['folder', 'PATH_UNREADABLE'],
    ['missing.mp4', 'PATH_UNREADABLE'],
  ] as const) {
    const run = await nearcast(['title', 'add', file, '--no-wait'], { cwd, env });
    t.equal(run.code, 1, file);
    t.match(run.stderr, code);
  }
});

t.test('a name that cannot be is refused before the upload', async (t) => {
  const cwd = await temporaryDir(t);
  const env = operatorOf(await startPlane(t));
  await writeFile(join(cwd, 'film.mp4'), 'not looked at');
  for (const name of ['', 'two\nlines', '\u001b[31mred', 'x'.repeat(10_000)]) {
    const run = await nearcast(['title', 'add', 'film.mp4', `--name=${name}`, '--no-wait'], { cwd, env });
    t.equal(run.code, 1);
    t.match(run.stderr, /INVALID.*name/);
    t.notMatch(run.stderr, /upload/);
  }
  const { stdout } = await nearcast(['title', 'list', '--json'], { cwd, env });
  t.same(JSON.parse(stdout), []);
});

t.test('another user: no home to write to, a file that may not be read', async (t) => {
  if (process.getuid?.() !== 0) {
    t.comment('only root can become somebody else');
    return;
  }
  const cwd = await temporaryDir(t);
  const plane = await startPlane(t);
  const token = join(cwd, 'token');
  await writeFile(token, await readFile(join(plane.dataDir, 'operator.token')), { mode: 0o644 });
  await chmod(token, 0o644);
  await chmod(cwd, 0o755);
  await writeFile(join(cwd, 'film.mp4'), 'a film');
  await writeFile(join(cwd, 'secret.mp4'), 'a film of somebody else', { mode: 0o600 });
  const env = { NEARCAST_SERVER: plane.url, NEARCAST_TOKEN_FILE: token, HOME: '/nonexistent' };
  const asNobody = { cwd, env, uid: 65_534 };
  const secret = await nearcast(['title', 'add', 'secret.mp4', '--no-wait'], asNobody);
  t.match(secret.stderr, /PATH_UNREADABLE.*secret\.mp4 \(EACCES\)/);
  t.equal(secret.code, 77);
  const film = await nearcast(['title', 'add', 'film.mp4', '--no-wait'], asNobody);
  t.equal(film.code, 0, film.stderr);
});

/** A way to a server that cuts every connection after so many bytes, until it is told to let them pass. */
async function startCutter(target: string, cutAfterBytes: number) {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const state = { passing: false };
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let seen = 0;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('data', (piece: Buffer) => {
      seen += piece.length;
      if (!state.passing && seen > cutAfterBytes) client.resetAndDestroy();
    });
    client.pipe(upstream);
    upstream.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    state,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

t.test('an upload that is cut again and again goes on in the next run', async (t) => {
  const cwd = await temporaryDir(t);
  const plane = await startPlane(t);
  const cutter = await startCutter(plane.url, 10 * 1024 * 1024);
  t.teardown(() => {
    cutter.close();
  });
  const env = { ...operatorOf(plane), NEARCAST_SERVER: cutter.url };
  await writeFile(join(cwd, 'film.mp4'), Buffer.alloc(64 * 1024 * 1024, 'film'));
  const first = await nearcast(['title', 'add', 'film.mp4', '--no-wait'], { cwd, env });
  t.not(first.code, 0, 'it gives up', first);
  t.match(first.stderr, /run the same command again to go on/);
  const [id = ''] = await readdir(join(cwd, '.cache', 'nearcast', 'uploads'));
  t.ok(id, 'the upload is remembered');
  cutter.state.passing = true;
  const second = await nearcast(['title', 'add', 'film.mp4', '--no-wait', '--json'], { cwd, env });
  t.equal(second.code, 0, 'it goes on', second);
  t.match(JSON.parse(second.stdout), { name: 'film' });
  t.strictSame(await readdir(join(cwd, '.cache', 'nearcast', 'uploads')), []);
});
