import { createHash } from 'node:crypto';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { arch } from 'node:os';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';

const root = resolve(import.meta.dirname, '../..');
const runtime = `node-linux-${arch()}`;

const essential =
  'cat cp cut dirname env find flock grep gzip head id mkdir mktemp mv rm sed sh sha256sum sha512sum sort tar tr uname'.split(
    ' ',
  );

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A copy of the wrapper whose registry is a folder of small packages: the pinned runtime is a script there. */
interface Sandbox {
  folder: string;
  /** Runs `./dev` with the arguments. */
  dev: (...args: string[]) => Promise<Ran>;
  /** Leaves only the sandbox's own commands, and those that every Debian has. */
  hideOptionalCommands: () => void;
  /** How often the wrapper's npm was asked to fetch or to install. */
  calls: () => string[];
  /** Takes the registry away: every fetch fails from here on. */
  goOffline: () => void;
}

function script(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

function pack(folder: string, name: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, 'making', name, 'package', path, '..'), { recursive: true });
    script(join(folder, 'making', name, 'package', path), text);
  }
  const tarball = join(folder, 'registry', `${name}-1.0.0.tgz`);
  mkdirSync(join(folder, 'registry'), { recursive: true });
  spawnSync('tar', ['-czf', tarball, '-C', join(folder, 'making', name), 'package']);
  return createHash('sha512').update(readFileSync(tarball)).digest('hex');
}

function makeSandbox(t: Test): Sandbox {
  const folder = t.testdir({
    'package-lock.json': '{}',
    '.npmrc': '',
    '.taprc': '',
    packaging: {},
    bin: {},
    cli: { 'bin.ts': 'console.log(`cli ${process.argv.slice(2).join(" ")}`);' },
  });
  const log = join(folder, 'calls');
  const realNode = process.execPath;
  const installs = `
    import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
    appendFileSync('${log}', process.argv[2] + '\\n');
    mkdirSync('node_modules/tap/dist/esm', { recursive: true });
    writeFileSync('node_modules/tap/dist/esm/run.mjs', '');`;
  const sums = [
    `${pack(folder, runtime, { 'bin/node': `#!/bin/sh\nexec '${realNode}' "$@"\n` })}  ${runtime}@1.0.0`,
    `${pack(folder, 'npm', { 'bin/npm-cli.js': installs, 'package.json': '{"type":"module"}' })}  npm@1.0.0`,
  ];
  writeFileSync(join(folder, 'packaging/runtime.sums'), `# a comment\n${sums.join('\n')}\n`);
  copyFileSync(join(root, 'dev'), join(folder, 'dev'));
  script(join(folder, 'bin/node'), '#!/bin/sh\necho v0.0.1\n');
  // The machine's npm: `npm pack --silent NAME@1.0.0` copies from the registry's folder.
  script(
    join(folder, 'bin/npm'),
    `#!/bin/sh
     [ "$1" = pack ] || exit 1
     echo "pack $3" >>'${log}'
     cp "${folder}/registry/\${3%@*}-1.0.0.tgz" . 2>/dev/null\n`,
  );
  let path = `${folder}/bin:/usr/bin:/bin`;
  return {
    folder,
    hideOptionalCommands() {
      for (const name of essential) symlinkSync(`/usr/bin/${name}`, join(folder, 'bin', name));
      path = join(folder, 'bin');
    },
    async dev(...args) {
      const child = spawn('/bin/sh', [join(folder, 'dev'), ...args], { env: { PATH: path }, cwd: '/' });
      const said = { stdout: '', stderr: '' };
      child.stdout.on('data', (data: Buffer) => (said.stdout += data.toString()));
      child.stderr.on('data', (data: Buffer) => (said.stderr += data.toString()));
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, ...said };
    },
    calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []),
    goOffline: () => {
      script(join(folder, 'bin/npm'), '#!/bin/sh\necho offline >&2\nexit 1\n');
    },
  };
}

const oneSetup = [`pack ${runtime}@1.0.0`, 'pack npm@1.0.0', 'ci'];

t.test('help names every command and sets nothing up', async (t) => {
  const { dev, folder } = makeSandbox(t);
  const { code, stdout } = await dev('help');
  t.equal(code, 0);
  for (const command of 'demo nearcast test check bench soak fuzz package clean help'.split(' ')) {
    t.match(stdout, new RegExp(`^  ${command}\\b`, 'm'));
  }
  t.notOk(existsSync(join(folder, '.runtime')));
});

t.test('an unknown command is refused with the nearest known one', async (t) => {
  const { dev } = makeSandbox(t);
  for (const [wrong, meant] of [
    ['tset', 'test'],
    ['chekc', 'check'],
    ['packge', 'package'],
  ] as const) {
    const { code, stderr } = await dev(wrong);
    t.equal(code, 64);
    t.match(stderr, `there is no command ${wrong}; did you mean ${meant}?`);
    t.match(stderr, 'usage: ./dev COMMAND');
  }
});

t.test('the first run sets up, and the next ones need neither network nor lock', async (t) => {
  const { dev, calls, goOffline, folder } = makeSandbox(t);
  const first = await dev('nearcast', 'status', '--json');
  t.match(first, { code: 0, stdout: 'cli status --json\n' });
  t.strictSame(calls(), oneSetup);
  goOffline();
  const second = await dev('nearcast', 'status');
  t.match(second, { code: 0, stdout: 'cli status\n', stderr: '' });
  t.strictSame(calls(), oneSetup);
  t.strictSame(
    readdirSync(join(folder, '.runtime')).filter((name) => name.startsWith('fetch.')),
    [],
    'no download is left lying about',
  );
});

t.test('a changed lockfile installs anew, with the runtime that is there', async (t) => {
  const { dev, calls, goOffline, folder } = makeSandbox(t);
  await dev('nearcast');
  goOffline();
  writeFileSync(join(folder, 'package-lock.json'), '{"changed":true}');
  t.match(await dev('nearcast'), { code: 0 });
  t.strictSame(calls(), [...oneSetup, 'ci']);
});

t.test('a runtime whose sum is another is refused and not unpacked', async (t) => {
  const { dev, folder } = makeSandbox(t);
  const tarball = join(folder, 'registry', `${runtime}-1.0.0.tgz`);
  writeFileSync(tarball, Buffer.concat([readFileSync(tarball), Buffer.from('x')]));
  const { code, stderr, stdout } = await dev('nearcast');
  t.equal(code, 65);
  t.match(stderr, /node-linux-\w+@1\.0\.0 is not what .*runtime\.sums says: refused/);
  t.equal(stdout, '');
  t.notOk(readdirSync(join(folder, '.runtime')).some((name) => /^(node|fetch)/.test(name)));
});

t.test('a fetch that fails leaves nothing behind, and the next run succeeds', async (t) => {
  const { dev, folder } = makeSandbox(t);
  const online = readFileSync(join(folder, 'bin/npm'), 'utf8');
  script(join(folder, 'bin/npm'), '#!/bin/sh\nexit 1\n');
  const { code, stderr } = await dev('nearcast');
  t.equal(code, 69);
  t.match(stderr, 'is this machine online?');
  t.strictSame(readdirSync(join(folder, '.runtime')), ['lock']);
  script(join(folder, 'bin/npm'), online);
  t.match(await dev('nearcast'), { code: 0 });
});

t.test('four first runs at once set up once', async (t) => {
  const { dev, calls } = makeSandbox(t);
  const runs = await Promise.all(['a', 'b', 'c', 'd'].map((name) => dev('nearcast', name)));
  t.strictSame(
    runs.map(({ code, stdout }) => [code, stdout]),
    ['a', 'b', 'c', 'd'].map((name) => [0, `cli ${name}\n`]),
  );
  t.strictSame(calls(), oneSetup);
});

t.test(
  'a missing system package is installed where apt may be used, else its command is printed',
  async (t) => {
    const { dev, folder, hideOptionalCommands } = makeSandbox(t);
    hideOptionalCommands();
    mkdirSync(join(folder, 'test/fuzz'), { recursive: true });
    writeFileSync(join(folder, 'test/fuzz/ranges.ts'), 'console.log("fuzzed");');
    rmSync(join(folder, 'bin/id'));
    script(join(folder, 'bin/id'), '#!/bin/sh\necho 1000\n');
    t.match(await dev('fuzz', 'ranges'), { code: 69, stderr: /please install: ffmpeg/ });
    // An apt-get that installs ffmpeg, the second time that it is asked, as after an outdated list.
    script(
      join(folder, 'bin/apt-get'),
      `#!/bin/sh
     case "$*" in
       *install*--no-install-recommends*ffmpeg*)
         [ -e '${folder}/updated' ] || exit 100
         ln -s /bin/true '${folder}/bin/ffmpeg' ;;
       *update*) : >'${folder}/updated' ;;
     esac\n`,
    );
    symlinkSync('/usr/bin/ln', join(folder, 'bin/ln'));
    t.match(await dev('fuzz', 'ranges'), {
      code: 69,
      stderr: /please run: sudo apt-get install --no-install-recommends ffmpeg\n/,
    });
    script(join(folder, 'bin/sudo'), '#!/bin/sh\n[ "$1" = -n ] && shift\n"$@"\n');
    symlinkSync('/bin/true', join(folder, 'bin/true'));
    t.match(await dev('fuzz', 'ranges'), { code: 0, stdout: 'fuzzed\n' });
    t.match(await dev('fuzz', 'ranges'), { code: 0, stdout: 'fuzzed\n', stderr: '' });
  },
);

/** Sources of the addons, and a make that counts its calls for the engine and fails on a source that says so. */
function addSources(folder: string): { built: () => number; edit: (text: string) => void } {
  const native = join(folder, 'appliance/engine/native');
  const steering = join(folder, 'steering/native');
  for (const path of [native, steering]) {
    mkdirSync(path, { recursive: true });
    for (const name of ['Makefile', 'loop.cc', 'loop.h']) writeFileSync(join(path, name), '');
  }
  script(join(folder, 'bin/g++'), '#!/bin/sh\n');
  script(
    join(folder, 'bin/make'),
    `#!/bin/sh
     if [ "$3" = '${steering}' ]; then mkdir -p '${steering}/build' && : >'${steering}/build/steering.node' && exit 0; fi
     echo make >>'${folder}/makes'
     if grep -q broken '${native}/loop.cc'; then exit 2; fi
     mkdir -p '${native}/build' && : >'${native}/build/engine.node'\n`,
  );
  return {
    built: () =>
      existsSync(join(folder, 'makes'))
        ? readFileSync(join(folder, 'makes'), 'utf8').split('make').length - 1
        : 0,
    edit: (text) => {
      writeFileSync(join(native, 'loop.cc'), text);
    },
  };
}

t.test(
  'the addon is built when its sources have changed, for what serves and for nothing else',
  async (t) => {
    const { dev, folder } = makeSandbox(t);
    const { built, edit } = addSources(folder);
    t.match(await dev('nearcast', 'status'), { code: 0 });
    t.equal(built(), 0);
    await Promise.all([dev('nearcast', 'appliance'), dev('nearcast', 'appliance')]);
    t.equal(built(), 1);
    edit('changed');
    t.match(await dev('nearcast', 'appliance'), { code: 0 });
    t.match(await dev('nearcast', 'appliance'), { code: 0, stderr: '' });
    t.equal(built(), 2);
    edit('broken');
    const { code, stderr, stdout } = await dev('nearcast', 'appliance');
    t.equal(code, 0);
    t.match(stderr, 'serving in TypeScript: the faster engines could not be built');
    t.equal(stdout, 'cli appliance\n');
    t.notOk(existsSync(join(folder, 'appliance/engine/native/build/engine.node')), 'the old one is gone');
    t.notOk(existsSync(join(folder, 'steering/native/build/steering.node')));
  },
);

t.test('without a compiler, what serves says so and goes on; what proves the engine does not', async (t) => {
  const { dev, folder, hideOptionalCommands } = makeSandbox(t);
  addSources(folder);
  rmSync(join(folder, 'bin/g++'));
  hideOptionalCommands();
  script(join(folder, 'bin/ffmpeg'), '#!/bin/sh\n');
  mkdirSync(join(folder, 'test/fuzz'), { recursive: true });
  writeFileSync(join(folder, 'test/fuzz/ranges.ts'), '');
  t.match(await dev('nearcast', 'appliance'), {
    code: 0,
    stdout: 'cli appliance\n',
    stderr: 'serving in TypeScript: to build the faster engines, run: sudo apt-get install g++ make',
  });
  t.match(await dev('fuzz', 'ranges'), { code: 69, stderr: /please install: g\+\+/ });
});

t.test('clean removes what the wrapper made, and only when it is asked for nothing else', async (t) => {
  const { dev, folder } = makeSandbox(t);
  await dev('nearcast');
  mkdirSync(join(folder, '.nearcast-demo'));
  t.match(await dev('clean', '--help'), { code: 64, stderr: /clean takes no arguments/ });
  t.ok(existsSync(join(folder, 'node_modules')));
  t.match(await dev('clean'), { code: 0 });
  t.notOk(existsSync(join(folder, 'node_modules')));
  t.notOk(existsSync(join(folder, '.runtime')));
  t.ok(existsSync(join(folder, '.nearcast-demo')), "the demo's data stays");
  t.ok(existsSync(join(folder, 'cli/bin.ts')));
});

t.test('bench lists its names when none, or an unknown one, is given', async (t) => {
  const { dev, folder } = makeSandbox(t);
  mkdirSync(join(folder, 'test/bench'), { recursive: true });
  writeFileSync(join(folder, 'test/bench/ranges.ts'), '');
  for (const args of [[], ['no-such']]) {
    const { code, stderr } = await dev('bench', ...args);
    t.equal(code, 64);
    t.match(stderr, 'NAME one of: ranges');
  }
});
