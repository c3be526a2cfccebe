import { execFile } from 'node:child_process';
import { link, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { systemCode } from '../../../common/runtime/errors.ts';
import { diskLayout } from '../../../appliance/store/disk-layout.ts';
import {
  putFile,
  seededBytes,
  testBundle,
  testFile,
  type TestFile,
} from '../../support/appliance/content.ts';
import { testDisk } from '../../support/appliance/serving-box.ts';

const run = promisify(execFile);

/** Files that every server serves, once on the disk: the others are links to them. */
export interface Content {
  /** Everything of the benchmark is in here; removed by `remove`. */
  readonly directory: string;
  /** A store as the appliance has it, to be linked into a data directory. */
  readonly store: string;
  /** The same files for servers of plain folders: `/NAME.mp4`. */
  readonly www: string;
  readonly bundle: string;
  /** Names of the files that are served hot. */
  readonly hot: readonly string[];
  readonly files: readonly ContentFile[];
  /** A new directory for a server. */
  newDirectory(server: string): Promise<string>;
  /** Writes the lists for the load generator, with these paths, beside a server's directory. */
  writeTargets(directory: string, pathOf: (file: string) => string): Promise<{ hot: string; cold: string }>;
  remove(): Promise<void>;
}

export interface ContentFile {
  readonly file: string;
  readonly ext: string;
  readonly sizeBytes: number;
}

// Not /tmp, which may be memory: a disk that can be cold is wanted.
const parent = '/var/tmp';
const prefix = 'nearcast-bench-';

/** Removes what benchmarks have left that were killed: gigabytes each. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = name.startsWith(prefix) ? /^(\d+)-/.exec(name.slice(prefix.length))?.[1] : undefined;
    if (pid !== undefined && !isAlive(Number(pid)))
      await rm(join(parent, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** Makes that many files, some to be served hot and some cold. Their bytes are random: nothing compresses them. */
export async function makeContent(options: {
  fileBytes: number;
  hotCount: number;
  coldCount: number;
}): Promise<Content> {
  await removeLeftovers();
  const directory = await mkdtemp(join(parent, `${prefix}${process.pid}-`));
  const store = join(directory, 'store');
  const www = join(directory, 'www');
  await mkdir(store);
  await mkdir(www);
  const layout = diskLayout(store);
  const { disk } = await testDisk(store);
  const files: TestFile[] = [];
  for (let seed = 0; seed < options.hotCount + options.coldCount; seed++) {
    const file = testFile(seededBytes(options.fileBytes, seed));
    await putFile(disk, file);
    await link(layout.content(file.file), join(www, `${file.file}.mp4`));
    // Only its name and size are needed from here on.
    files.push({ ...file, bytes: Buffer.alloc(0) });
  }
  const described = files.map(({ file, ext }) => ({ file, ext, sizeBytes: options.fileBytes }));
  const bundle = testBundle(files);
  await putFile(disk, bundle);
  await disk.close();
  return {
    directory,
    store,
    www,
    bundle: bundle.file,
    hot: described.slice(0, options.hotCount).map(({ file }) => file),
    files: [...described, { file: bundle.file, ext: 'json', sizeBytes: bundle.bytes.length }],
    newDirectory: (server) => mkdtemp(join(directory, `${server}-`)),
    async writeTargets(of, pathOf) {
      const lines = described.map(
        ({ file, sizeBytes }) => `${pathOf(file)} ${sizeBytes} ${layout.content(file)}\n`,
      );
      const hot = `${of}.hot`;
      const cold = `${of}.cold`;
      await writeFile(hot, lines.slice(0, options.hotCount).join(''));
      await writeFile(cold, lines.slice(options.hotCount).join(''));
      return { hot, cold };
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Gives a data directory the store's files without copying them. */
export async function linkStore({ store }: Content, dataDir: string): Promise<void> {
  await run('cp', ['--archive', '--link', `${store}/.`, dataDir]);
  // A link to the index would be the same index, which only one box at a time can open.
  await run('cp', ['--archive', '--remove-destination', join(store, 'index.sqlite'), dataDir]);
}

/** Makes a certificate as an appliance would have: ECDSA on P-256. */
export async function makeCertificate(directory: string): Promise<{ key: string; certificate: string }> {
  const key = join(directory, 'key.pem');
  const certificate = join(directory, 'certificate.pem');
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '90'],
    ...['-subj', '/CN=box.example', '-addext', 'subjectAltName=DNS:box.example'],
    ...['-keyout', key, '-out', certificate],
  ]);
  return { key, certificate };
}
