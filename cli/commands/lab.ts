import { Command } from 'commander';

import type { GlobalOptions } from '../context.ts';
import { formatBytes } from '../output/format.ts';
import { createOutput, type Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

/** What replays traces: appliance/lab.ts, which bin.ts alone may load. */
export interface CacheLab {
  readonly replayTrace: (request: {
    readonly trace: string;
    readonly format: string;
    readonly policies: readonly string[];
    readonly sizes: readonly string[];
    readonly signal: AbortSignal;
    readonly onProgress: (fraction: number) => void;
  }) => Promise<CacheReport>;
}

interface CacheReport {
  readonly requests: number;
  readonly bytes: number;
  readonly skippedLines: number;
  readonly results: readonly {
    readonly policy: string;
    readonly capacityBytes: number;
    readonly misses: number;
    readonly missRatio: number;
    readonly missBytes: number;
    readonly byteMissRatio: number;
  }[];
}

interface CacheFlags {
  readonly trace: string;
  readonly format: string;
  readonly policy: readonly string[];
  readonly size: readonly string[];
}

const listOf = (text: string): string[] => text.split(',').map((part) => part.trim());

/** `nearcast lab cache`. Needs no control plane. */
export function labCommand(shell: CommandShell, loadCacheLab: () => Promise<CacheLab>): Command {
  const command = new Command('lab').description('try on recorded traffic what a box would do');
  command
    .command('cache')
    .description(
      'replay a trace through eviction policies: misses and byte misses of each, Belady as the mark',
    )
    .requiredOption('--trace <file>', 'a recorded trace; .zst and .gz are decompressed')
    .requiredOption('--format <format>', 'oracle-general, csv (time,id,size) or access-log (a box’s own)')
    .option(
      '--policy <names>',
      'lru, fifo, clock, sieve, s3fifo, arc, gdsf, belady; all where none is named',
      listOf,
      [],
    )
    .requiredOption('--size <sizes>', 'capacities, for instance 128MiB,1GiB', listOf)
    .action(async (flags: CacheFlags, self: Command) => {
      const { replayTrace } = await loadCacheLab();
      const { json = false } = self.optsWithGlobals<GlobalOptions>();
      const output = createOutput({ json, stdout: process.stdout, stderr: process.stderr });
      const progress = output.progress('replay');
      let isShown = false;
      const report = await replayTrace({
        trace: flags.trace,
        format: flags.format,
        policies: flags.policy,
        sizes: flags.size,
        signal: shell.signal,
        onProgress(fraction) {
          isShown = true;
          progress.update(fraction, flags.trace);
        },
      }).catch((error: unknown) => {
        // What went wrong is said on a line of its own.
        if (isShown) progress.fail(flags.trace);
        throw error;
      });
      progress.done(`${report.requests} requests`);
      output.facts(report, () => printReport(output, report));
    });
  return command;
}

function printReport(output: Output, { requests, bytes, skippedLines, results }: CacheReport): void {
  output.line(`${requests} requests, ${bytes} bytes (${formatBytes(bytes)})`);
  if (skippedLines > 0) output.line(`${skippedLines} torn lines passed over`);
  output.table({
    head: ['size', 'policy', 'misses', 'miss ratio', 'missed bytes', 'byte miss ratio'],
    rows: results.map((row) => [
      formatBytes(row.capacityBytes),
      row.policy,
      String(row.misses),
      row.missRatio.toFixed(4),
      String(row.missBytes),
      row.byteMissRatio.toFixed(4),
    ]),
    empty: '',
  });
}
