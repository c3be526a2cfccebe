import { Command, InvalidArgumentError } from 'commander';

import { outputOf, withProgress } from '../local-command.ts';
import { formatBytes } from '../output/format.ts';
import type { Output } from '../output/output.ts';
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

/** What trains and scores recommendations: control-plane/lab.ts, which bin.ts alone may load. */
export interface RecommendLab {
  readonly scoreRatings: (request: {
    readonly ratings: string;
    readonly protocol: string;
    readonly seed: number;
    readonly signal: AbortSignal;
    readonly onProgress: (fraction: number, what: string) => void;
  }) => Promise<RecommendReport>;
}

interface RecommendReport {
  readonly ratings: number;
  readonly users: number;
  readonly items: number;
  readonly repeated: number;
  readonly tornLines: number;
  readonly firstTorn: readonly { readonly line: number; readonly reason: string }[];
  readonly chosen: { readonly lambda: number; readonly blend: object };
  readonly trainSeconds: number;
  readonly results: readonly {
    readonly model: string;
    readonly ndcg10: number;
    readonly recall10: number;
    readonly mrr10: number;
    readonly precision10: number;
  }[];
}

interface RecommendFlags {
  readonly ratings: string;
  readonly protocol: string;
  readonly seed: number;
}

interface LabLoaders {
  readonly cacheLab: () => Promise<CacheLab>;
  readonly recommendLab: () => Promise<RecommendLab>;
}

/** `nearcast lab`. Needs no control plane. */
export function labCommand(shell: CommandShell, labs: LabLoaders): Command {
  return new Command('lab')
    .description('try on recorded data what Nearcast would do')
    .addCommand(cacheCommand(shell, labs.cacheLab))
    .addCommand(recommendCommand(shell, labs.recommendLab));
}

function cacheCommand(shell: CommandShell, load: () => Promise<CacheLab>): Command {
  return new Command('cache')
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
      const { replayTrace } = await load();
      const output = outputOf(self);
      const report = await withProgress(output, 'replay', async (onProgress) => {
        const done = await replayTrace({
          trace: flags.trace,
          format: flags.format,
          policies: flags.policy,
          sizes: flags.size,
          signal: shell.signal,
          onProgress(fraction) {
            onProgress(fraction, flags.trace);
          },
        });
        return { done, said: `${done.requests} requests` };
      });
      output.facts(report, () => printReport(output, report));
    });
}

function recommendCommand(shell: CommandShell, load: () => Promise<RecommendLab>): Command {
  return new Command('recommend')
    .description('train recommendations on ratings and score them by a published protocol')
    .requiredOption('--ratings <file>', '`user item rating time` lines; .zst and .gz are decompressed')
    .requiredOption(
      '--protocol <name>',
      'recbole (80/10/10 of each user at random) or stratified (75/25), both ranking every item, ten a user',
    )
    .option('--seed <number>', 'splits in another way', parseSeed, 1)
    .action(async (flags: RecommendFlags, self: Command) => {
      const { scoreRatings } = await load();
      const output = outputOf(self);
      const report = await withProgress(output, 'recommend', async (onProgress) => {
        const done = await scoreRatings({ ...flags, signal: shell.signal, onProgress });
        return { done, said: `${done.ratings} ratings in ${done.trainSeconds.toFixed(1)} s` };
      });
      output.facts(report, () => {
        printScores(output, report);
      });
    });
}

function parseSeed(text: string): number {
  const seed = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(seed)) throw new InvalidArgumentError('write a whole number, at most nine digits');
  return seed;
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

function printScores(output: Output, report: RecommendReport): void {
  const { ratings, users, items, repeated, tornLines, firstTorn, chosen } = report;
  output.line(`${ratings} ratings of ${items} items by ${users} users`);
  if (repeated > 0) output.line(`${repeated} of the same item by the same user before were left out`);
  if (tornLines > 0) output.line(`${tornLines} lines passed over:`);
  for (const { line, reason } of firstTorn) output.line(`  line ${line} ${reason}`);
  const parts = Object.entries(chosen.blend).map(([part, weight]) => `${part} ${weight}`);
  output.line(`chosen on the validation part: λ ${chosen.lambda}, ${parts.join(', ')}`);
  output.table({
    head: ['model', 'nDCG@10', 'recall@10', 'MRR@10', 'precision@10'],
    rows: report.results.map(({ model, ndcg10, recall10, mrr10, precision10 }) => [
      model,
      ...[ndcg10, recall10, mrr10, precision10].map((value) => value.toFixed(4)),
    ]),
    empty: '',
  });
}
