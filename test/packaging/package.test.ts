import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

import { readConfig } from '../../appliance/config.ts';
import { buildAppliance } from '../../packaging/build-appliance.ts';
import { compileProgram } from '../../packaging/compile.ts';
import { filesToShip, npmClosure, npmPackages } from '../../packaging/npm-closure.ts';

// It builds the package twice and has lintian read all of it.
t.setTimeout(400_000);
const root = new URL('../..', import.meta.url).pathname;
const home = 'usr/lib/nearcast-appliance';
const unit = 'usr/lib/systemd/system/nearcast-appliance.service';
/** Of 100; what is left is network, the JIT, low ports and the addresses' netlink. */
const exposureMax = 20;

const work = mkdtempSync(join(tmpdir(), 'nearcast-package-test-'));
t.teardown(() => {
  rmSync(work, { recursive: true, force: true });
});
const build = (name: string) =>
  buildAppliance({ root, outPath: join(work, name), compression: 'fast', say: () => undefined });
const { path: deb } = await build('first');
const tree = join(work, 'tree');
execFileSync('dpkg-deb', ['-x', deb, tree]);
const contents = execFileSync('dpkg-deb', ['-c', deb], { encoding: 'utf8', maxBuffer: 2 ** 24 })
  .trim()
  .split('\n');
const files = contents.filter((line) => line.startsWith('-')).map((line) => line.split(' ./')[1] ?? '');
const ours = files.filter((path) => path.startsWith(`${home}/app/`) && !path.includes('/node_modules/'));

t.test('the same commit makes the same bytes, whatever the umask', async (t) => {
  const before = process.umask(0o077);
  t.teardown(() => process.umask(before));
  t.ok(readFileSync((await build('second')).path).equals(readFileSync(deb)));
});

t.test('holds the compiled appliance and nothing of development', async (t) => {
  t.same(
    files.filter((path) => /\.(?:[cm]?ts|tsx|map|tsbuildinfo)$|\/(?:test|tests|__tests__)\//.test(path)),
    [],
    'no TypeScript, maps or tests',
  );
  const names = ours.map((path) => path.slice(`${home}/app/`.length));
  for (const name of ['bin.js', 'worker.js', 'disk-worker.js', 'package.json'])
    t.ok(names.includes(name), name);
  t.same(
    names.filter((name) => !/^[\w-]+\.js$/.test(name)).sort(),
    ['native/build/build-info.json', 'native/build/engine.node', 'package.json'],
    'all of the program is in one folder: what a module names beside itself is beside it',
  );
  t.notOk(
    files.some((path) => /\/(?:npm|include)\//.test(path.replace(/node_modules/g, ''))),
    'no npm, no headers',
  );
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const shipped = new Set(
    files.flatMap((path) => /app\/(node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
  );
  t.ok(shipped.size > 10);
  for (const path of shipped) t.notOk(lock[path]?.dev, `${path} is no development dependency`);
  for (const absent of ['typescript', 'tap', 'fastify', 'cbor-extract', 'react'])
    t.notOk(shipped.has(`node_modules/${absent}`), absent);
});

t.test('belongs to root, and nobody else may write', async (t) => {
  t.same(
    contents.filter((line) => !/^[d-]rw[x-]r-[x-]r-[x-] root\/root /.test(line)),
    [],
  );
});

t.test('every package comes with its licence', async (t) => {
  const copyright = readFileSync(join(tree, 'usr/share/doc/nearcast-appliance/copyright'), 'utf8');
  const { bundled, loaded } = await compileProgram(root);
  t.ok(bundled.has('node_modules/pino') && !bundled.has('node_modules/ajv'));
  for (const { path, version, license } of [...npmPackages(root, bundled), ...npmClosure(root, loaded)]) {
    const licence = readdirSync(join(root, path)).find((name) => /^(?:licen[cs]e|copying)/i.test(name));
    if (licence !== undefined) t.ok(existsSync(join(tree, home, 'app', path, licence)), `${path}/${licence}`);
    t.ok(
      copyright.includes(`${path.slice('node_modules/'.length)} ${version}: ${license}`),
      `${path} is named`,
    );
  }
  t.ok(existsSync(join(tree, 'usr/share/doc/nearcast-appliance/node-license.gz')));
  t.notMatch(copyright, /@[A-Z]+@/, 'every placeholder is filled');
});

t.test('every module loads on the packaged runtime, away from the repository', async (t) => {
  // These two begin to work when they are loaded: the command, and the process of a disk, which reads from a pipe.
  const modules = ours.filter((path) => path.endsWith('.js') && !/\/(bin|disk-worker)\.js$/.test(path));
  const loader = join(work, 'load.mjs');
  writeFileSync(
    loader,
    modules.map((path) => `await import(${JSON.stringify(join(tree, path))});\n`).join(''),
  );
  const options = { cwd: '/', env: { LD_LIBRARY_PATH: join(tree, home, 'lib') }, encoding: 'utf8' } as const;
  const node = join(tree, home, 'bin/node');
  const loaded = spawnSync(node, [loader], options);
  t.equal(loaded.status, 0, loaded.stderr);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const said = spawnSync(node, [join(tree, home, 'app/bin.js'), '--version'], options);
  t.equal(said.stdout, `nearcast-appliance ${version}\n`, said.stderr);
});

t.test('the native engine is shipped stripped, and loads on the packaged runtime', async (t) => {
  const build = join(tree, home, 'app/native/build');
  t.same(readdirSync(build).sort(), ['build-info.json', 'engine.node']);
  const symbols = execFileSync('objdump', ['-h', join(build, 'engine.node')], { encoding: 'utf8' });
  t.notMatch(symbols, /\.debug_/, 'nothing for debuggers');
  const loader = join(work, 'load-engine.mjs');
  const module = ours.find((path) => readFileSync(join(tree, path), 'utf8').includes('function loadAddon('));
  writeFileSync(
    loader,
    `const exported = Object.values(await import(${JSON.stringify(join(tree, module ?? ''))}));
     const loadAddon = exported.find(({ name }) => name === 'loadAddon');
     const addon = loadAddon({ warn: (fields) => { throw new Error(fields.why); } });
     console.log(typeof addon.createServer);\n`,
  );
  const env = { LD_LIBRARY_PATH: join(tree, home, 'lib') };
  const loaded = spawnSync(join(tree, home, 'bin/node'), [loader], { cwd: '/', env, encoding: 'utf8' });
  t.equal(loaded.stdout, 'function\n', loaded.stderr);
  const control = execFileSync('dpkg-deb', ['-f', deb, 'Depends'], { encoding: 'utf8' });
  t.match(control, /libstdc\+\+6 \(>= 12\)/);
  // What GCC 12 brought; a newer compiler's symbols would need a newer library.
  const needed = execFileSync('objdump', ['-T', join(build, 'engine.node')], { encoding: 'utf8' });
  for (const [, version] of needed.matchAll(/GLIBCXX_3\.4\.(\d+)/g)) t.ok(Number(version) <= 30);
  for (const [, version] of needed.matchAll(/GLIBC_2\.(\d+)/g)) t.ok(Number(version) <= 34);
});

t.test('the shipped settings are valid, and so is everything that they suggest', async (t) => {
  const path = join(tree, 'etc/nearcast/appliance.json');
  const read = (file: string) => readConfig(['--config', file, '--control-url', 'http://127.0.0.1:7070'], {});
  t.equal(read(path).dataDir, '/var/lib/nearcast-appliance');
  const everything = join(work, 'everything.json');
  const suggested = readFileSync(path, 'utf8').replace(/^ {2}\/\/ (?=")/gm, '  ');
  // Routes come from one source: BIRD is instead of the file.
  writeFileSync(everything, suggested.replace(/^ {2}"routesFile".*\n/m, ''));
  t.match(read(everything), { capacityBytes: 7 * 2 ** 40, drainMs: 10_000, publicUrl: /^http/ });
  t.same(JSON.parse(readFileSync(join(tree, 'etc/nearcast/routes.json'), 'utf8')), []);
  const conffiles = execFileSync('dpkg-deb', ['-I', deb, 'conffiles'], { encoding: 'utf8' });
  t.equal(conffiles, '/etc/nearcast/appliance.json\n/etc/nearcast/routes.json\n');
});

const has = (command: string) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
const unless = (command: string, from: string) =>
  has(command) ? {} : { skip: `needs ${command}: apt-get install ${from}` };

t.test('systemd takes the unit and finds it confined', unless('systemd-analyze', 'systemd'), async (t) => {
  // With the units that it is ordered after, and the shell that every system has.
  const withSystem = join(work, 'with-system');
  execFileSync('cp', ['-a', tree, withSystem]);
  execFileSync('cp', ['-a', '/lib/systemd/system/.', join(withSystem, 'usr/lib/systemd/system')]);
  mkdirSync(join(withSystem, 'bin'), { recursive: true });
  copyFileSync('/bin/sh', join(withSystem, 'bin/sh'));
  const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  const verified = analyze(
    ...['verify', `--root=${withSystem}`, '--man=no', '--recursive-errors=yes', 'nearcast-appliance.service'],
  );
  t.equal(verified.status, 0, verified.stderr);
  t.equal(verified.stderr, '', 'not a warning either');
  const security = ['security', '--offline=true', `--threshold=${exposureMax}`, join(tree, unit)];
  const { status, stdout } = analyze(...security);
  t.equal(status, 0, stdout);
});

t.test('the unit outlives the drain', async (t) => {
  const text = readFileSync(join(tree, unit), 'utf8');
  const { drainMs } = readConfig(['--control-url', 'http://127.0.0.1:7070'], {});
  // The engine's drain, then 5 s for each component that stops: see appliance/main.ts.
  t.ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(text)?.[1]) * 1000 >= drainMs + 3000 + 6 * 5000);
});

t.test('lintian has nothing to say', unless('lintian', 'lintian'), async (t) => {
  const said = spawnSync('lintian', ['--allow-root', '--fail-on', 'error,warning', deb], {
    encoding: 'utf8',
  });
  t.equal(said.status, 0, said.stdout + said.stderr);
});

t.test('of an addon only what was built for this machine is shipped', async (t) => {
  const shipped = filesToShip(join(root, 'node_modules/better-sqlite3'));
  const addons = shipped.filter((path) => path.endsWith('.node'));
  t.ok(addons.length > 0);
  for (const path of addons) t.match(path, new RegExp(`^build/Release/|linux-${process.arch}`));
  t.notOk(shipped.some((path) => /^(?:src|deps)\//.test(path)));
});
