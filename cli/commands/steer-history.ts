import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command } from 'commander';

import { parseMoment } from '../../common/core/wall-time.ts';
import { coded, valueOf } from '../../common/runtime/errors.ts';
import type { GlobalOptions } from '../context.ts';
import { formatBytes, formatPercent } from '../output/format.ts';
import { createOutput, type Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';
import { steeringUrl } from './steer-health.ts';

/** What makes decisions again: steering/lab.ts, which bin.ts alone may load. */
export interface SteeringLab {
  readonly replayDecisions: (request: {
    readonly file: string;
    readonly map: string | undefined;
    readonly rankOrder: readonly string[] | undefined;
    readonly headroomMin: number | undefined;
    readonly geoFile: string | undefined;
    readonly without: readonly string[];
    readonly signal: AbortSignal;
  }) => Promise<ReplayReport>;
}

interface ReplayReport {
  readonly decisions: number;
  readonly samples: number;
  readonly fidelity: number;
  readonly moved: number;
  readonly moves: readonly { readonly from: string; readonly to: string; readonly decisions: number }[];
  readonly boxes: readonly { readonly id: string; readonly before: number; readonly after: number }[];
  readonly lost: readonly { readonly fromMs: number; readonly untilMs: number }[];
}

interface ReplayFlags {
  readonly map?: string;
  readonly rankOrder?: readonly string[];
  readonly headroomMin?: number;
  readonly geoFile?: string;
  readonly without: readonly string[];
}

interface RecordFlags {
  readonly from: string;
  readonly to: string;
  readonly out: string;
  readonly steering?: string;
}

const hourMs = 3_600_000;
const movesShown = 20;
const ago = /^(\d+(?:\.\d+)?)(s|m|h)$/;
const unitMs = { s: 1000, m: 60_000, h: hourMs } as const;

/** A moment of the past: `90s`, `10m`, `2h` ago, or a time with its offset. @throws INVALID */
export function parsePast(text: string): number {
  const [, count, unit] = ago.exec(text) ?? [];
  if (count !== undefined && unit !== undefined)
    return Math.round(Date.now() - Number(count) * unitMs[unit as keyof typeof unitMs]);
  return valueOf(parseMoment(text), 'a time: 10m ago is "10m", else 2026-12-24T20:15Z');
}

/** `nearcast steer record`. */
export function steerRecordCommand(shell: CommandShell): Command {
  return new Command('record')
    .description('what steering decided in a time, and all that it depended on, as a file to replay')
    .requiredOption('--from <time>', 'like 30m (ago) or 2026-12-24T20:15Z')
    .option('--to <time>', 'now, where it is left out', '0s')
    .requiredOption('--out <file>', 'where it goes')
    .option('--steering <url>', "the steering node to ask; the control plane's unless given")
    .action(({ from, to, out, steering }: RecordFlags) =>
      shell.act(async ({ api, output }) => {
        const query = new URLSearchParams({ fromMs: `${parsePast(from)}`, toMs: `${parsePast(to)}` });
        const body = await api.stream(
          `${steering ?? (await steeringUrl(api))}/v1/history?${query.toString()}`,
        );
        const part = `${out}.part`;
        let bytes = 0;
        try {
          await pipeline(
            Readable.fromWeb(body).on('data', (piece: Uint8Array) => (bytes += piece.length)),
            createWriteStream(part, { mode: 0o600 }),
            { signal: shell.signal },
          );
          await rename(part, out);
        } catch (error) {
          await rm(part, { force: true });
          throw error;
        }
        output.facts({ file: out, bytes }, () => {
          output.line(`${out}: ${formatBytes(bytes)}; try it with nearcast steer replay ${out}`);
        });
      }),
    );
}

const listOf = (text: string): string[] => text.split(',').map((part) => part.trim());

/** `nearcast steer replay`. Needs no control plane. */
export function steerReplayCommand(shell: CommandShell, loadLab: () => Promise<SteeringLab>): Command {
  return new Command('replay')
    .description('who would move: makes recorded decisions again, as they were and with a change')
    .argument('<file>', 'from nearcast steer record')
    .option('--map <file>', 'another recording: its last map instead')
    .option('--rank-order <keys>', 'another order of the keys, separated by commas', listOf)
    .option('--headroom-min <share>', 'another least headroom', Number)
    .option('--geo-file <file>', 'the file of places that steering had (.mmdb)')
    .option('--without <boxes>', 'boxes that are taken to be gone, separated by commas', listOf, [])
    .action(async (file: string, flags: ReplayFlags, self: Command) => {
      const { replayDecisions } = await loadLab();
      const { json = false } = self.optsWithGlobals<GlobalOptions>();
      const output = createOutput({ json, stdout: process.stdout, stderr: process.stderr });
      const { map, rankOrder, headroomMin, geoFile, without } = flags;
      const asked = { file, map, rankOrder, headroomMin, geoFile, without, signal: shell.signal };
      const report = await replayDecisions(asked);
      output.facts(report, () => {
        printReplay(output, report);
      });
    });
}

function printReplay(
  output: Output,
  { decisions, samples, fidelity, moved, moves, boxes, lost }: ReplayReport,
): void {
  for (const { fromMs, untilMs } of lost) {
    const [from, until] = [fromMs, untilMs].map((ms) => new Date(ms).toISOString());
    output.note(
      `Nothing is known from ${from} until ${until}: the journal is damaged there, or steering had died.`,
    );
  }
  if (samples === 0) throw coded('INVALID', 'the recording has no decisions');
  output.line(
    `${decisions} decisions (${samples} samples): ${formatPercent(moved)} of them would go elsewhere first`,
  );
  if (fidelity < 1)
    output.line(
      `without the change ${formatPercent(fidelity)} of those of HTTP and DNS come out as they were recorded`,
    );
  output.table({
    head: ['from', 'to', 'decisions'],
    rows: moves.slice(0, movesShown).map(({ from, to, decisions: count }) => [from, to, String(count)]),
    empty: 'Nobody would move.',
  });
  output.table({
    head: ['box', 'first for, before', 'after'],
    rows: boxes.map(({ id, before, after }) => [id, String(before), String(after)]),
    empty: 'No box was chosen.',
  });
}
