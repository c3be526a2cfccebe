import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';

import { BackupList, BackupWork } from '../../common/contract/backups.ts';
import { coded, isProblemCode } from '../../common/runtime/errors.ts';
import type { CommandContext } from '../context.ts';
import { outputOf, withProgress } from '../local-command.ts';
import { formatBytes } from '../output/format.ts';
import type { CommandShell } from '../shell.ts';

interface ArchiveRequest {
  readonly archive: string;
  readonly passphraseFile?: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (fraction: number, what: string) => void;
}

interface ArchiveReport {
  readonly takenAtMs: number;
  readonly program: string;
  readonly files: number;
  readonly sizeBytes: number;
}

/** What reads backups: control-plane/restore.ts, which bin.ts alone may load. */
export interface RestoreTool {
  readonly verifyBackup: (request: ArchiveRequest) => Promise<ArchiveReport>;
  readonly restoreBackup: (
    request: ArchiveRequest & { readonly dataDir: string; readonly force: boolean },
  ) => Promise<ArchiveReport & { readonly dataDir: string; readonly keptAside?: string }>;
}

interface RestoreFlags {
  readonly dataDir: string;
  readonly force?: true;
  readonly passphraseFile?: string;
}

const pollMs = 250;

/** `nearcast backup create|list|verify`. */
export function backupCommand(shell: CommandShell, load: () => Promise<RestoreTool>): Command {
  const command = new Command('backup').description('backups of all records and keys: make, list, verify');
  command
    .command('create', { isDefault: true })
    .description('make one now, while the control plane serves')
    .action(() => shell.act(createBackup));
  command
    .command('list')
    .description('those that are kept')
    .action(() => shell.act(listBackups));
  command
    .command('verify <archive>')
    .description('read all of an archive (a path, or the URL of a blob) and check every file in it')
    .option('--passphrase-file <file>', 'what it is encrypted with')
    .action(async (archive: string, { passphraseFile }: { passphraseFile?: string }, self: Command) => {
      const output = outputOf(self);
      const { verifyBackup } = await load();
      const report = await withProgress(output, 'verify', async (onProgress) => {
        const done = await verifyBackup({ archive, passphraseFile, onProgress, signal: shell.signal });
        return { done, said: `${done.files} files` };
      });
      output.facts(report, () => {
        output.line(`The backup is whole: ${describe(report)}.`);
      });
    });
  return command;
}

/** `nearcast restore`: needs no control plane, and none may run on the directory. */
export function restoreCommand(shell: CommandShell, load: () => Promise<RestoreTool>): Command {
  return new Command('restore')
    .description("make a control plane's data directory of a backup")
    .argument('<archive>', 'a path, or the URL of a blob like s3://bucket/backups/NAME')
    .option('--data-dir <directory>', 'where', 'nearcast-data/control-plane')
    .option('--force', 'put data that is there aside')
    .option('--passphrase-file <file>', 'what the backup is encrypted with')
    .action(async (archive: string, flags: RestoreFlags, self: Command) => {
      const output = outputOf(self);
      const { dataDir, force = false, passphraseFile } = flags;
      const { restoreBackup } = await load();
      const report = await withProgress(output, 'restore', async (onProgress) => {
        const order = { archive, dataDir, force, passphraseFile, onProgress, signal: shell.signal };
        const done = await restoreBackup(order);
        return { done, said: `${done.files} files` };
      });
      output.facts(report, () => {
        output.line(`${report.dataDir} is restored: ${describe(report)}.`);
        if (report.keptAside !== undefined) output.line(`What was there is in ${report.keptAside}.`);
      });
      output.note(
        `Start the control plane; people have to sign in again. What was revoked, withdrawn or disabled after ${timeText(report.takenAtMs)} has to be again, and nodes that joined since have to join anew.`,
      );
    });
}

function describe({ takenAtMs, program, files, sizeBytes }: ArchiveReport): string {
  return `of ${timeText(takenAtMs)} by Nearcast ${program}, ${files} files, ${formatBytes(sizeBytes)}`;
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

async function createBackup({ api, output, signal }: CommandContext): Promise<void> {
  const { startedAtMs } = await api.call({ method: 'POST', path: '/v1/backups', reply: BackupWork });
  const backup = await withProgress(output, 'backup', async (onProgress) => {
    for (;;) {
      const { work } = await api.call({ path: '/v1/backups', reply: BackupList });
      if (work?.startedAtMs !== startedAtMs)
        throw coded('UNAVAILABLE', 'the control plane has started anew meanwhile; the backup was given up');
      if (work.state === 'failed') throw failureOf(work);
      if (work.backup !== undefined) return { done: work.backup, said: formatBytes(work.backup.sizeBytes) };
      onProgress(work.fraction, '');
      await sleep(pollMs, undefined, { signal });
    }
  });
  output.facts(backup, () => {
    output.line(`${backup.name}  ${formatBytes(backup.sizeBytes)}`);
    output.note(
      backup.sealed
        ? 'It is encrypted; without its passphrase it is worth nothing.'
        : 'It holds every key of this control plane, the root key if that is at hand: whoever reads it can speak for it.',
    );
  });
}

function failureOf({ failure }: BackupWork): Error {
  const { code, detail } = failure ?? { code: 'INTERNAL', detail: '' };
  return coded(isProblemCode(code) ? code : 'INTERNAL', detail);
}

async function listBackups({ api, output }: CommandContext): Promise<void> {
  const { backups, work } = await api.call({ path: '/v1/backups', reply: BackupList });
  output.facts({ backups, work }, () => {
    output.table({
      head: ['name', 'of', 'size', 'encrypted'],
      rows: backups.map(({ name, takenAtMs, sizeBytes, sealed }) => [
        ...[name, timeText(takenAtMs), formatBytes(sizeBytes), sealed ? 'yes' : 'no'],
      ]),
      empty: 'There are no backups; `nearcast backup` makes one.',
    });
    if (work?.state === 'running') output.note('One is being made.');
    if (work?.state === 'failed')
      output.note(`The last one failed: ${work.failure?.code ?? ''} ${work.failure?.detail ?? ''}`);
  });
}
