import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A package's tree under construction: every file with its mode, whatever the umask. */
export class DebTree {
  readonly path: string;
  readonly #conffiles: string[] = [];

  constructor(path: string) {
    this.path = path;
  }

  /** Writes a file at a path without leading slash. */
  write(path: string, content: string | Uint8Array, mode = 0o644): void {
    const target = this.#prepare(path);
    writeFileSync(target, content);
    chmodSync(target, mode);
  }

  copy(source: string, path: string, mode = 0o644): void {
    const target = this.#prepare(path);
    copyFileSync(source, target);
    chmodSync(target, mode);
  }

  /** Everything in /etc is the administrator's: an upgrade keeps their changes. */
  writeConfig(path: string, content: string): void {
    this.write(path, content);
    this.#conffiles.push(`/${path}`);
  }

  /** Paths and sizes of the installed files, sorted. */
  files(): { path: string; sizeBytes: number }[] {
    return readdirSync(this.path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => ({ path: path.slice(this.path.length + 1), sizeBytes: statSync(path).size }))
      .filter(({ path }) => !path.startsWith('DEBIAN/'))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Writes the control files that follow from the others: what was installed, its sums and its size. */
  finish(control: string, epochS: number): void {
    const files = this.files();
    const sums = files.map(({ path }) => `${md5(join(this.path, path))}  ${path}\n`);
    // Debian policy 5.6.20: in KiB, files rounded up.
    const sizeKib = files.reduce((sum, { sizeBytes }) => sum + Math.ceil(sizeBytes / 1024), 0);
    this.write('DEBIAN/control', control.replace('@SIZE@', String(sizeKib)));
    this.write('DEBIAN/conffiles', this.#conffiles.map((path) => `${path}\n`).join(''));
    this.write('DEBIAN/md5sums', sums.join(''));
    for (const entry of readdirSync(this.path, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isDirectory()) chmodSync(path, 0o755);
      lutimesSync(path, epochS, epochS);
    }
    chmodSync(this.path, 0o755);
    lutimesSync(this.path, epochS, epochS);
  }

  #prepare(path: string): string {
    const target = join(this.path, path);
    mkdirSync(dirname(target), { recursive: true });
    return target;
  }
}

function md5(path: string): string {
  return createHash('md5').update(readFileSync(path)).digest('hex');
}
