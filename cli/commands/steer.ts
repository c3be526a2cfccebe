import { Command } from 'commander';

import { ExplainReply } from '../../common/contract/steering.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Api } from '../api.ts';
import { findTitle } from '../find-title.ts';
import { formatDuration } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';
import { steerHealthCommand, steeringUrl } from './steer-health.ts';
import { parsePast, steerRecordCommand, steerReplayCommand, type SteeringLab } from './steer-history.ts';

/** `nearcast steer explain|health|record|replay`. */
export function steerCommand(shell: CommandShell, loadLab: () => Promise<SteeringLab>): Command {
  const command = new Command('steer').description('which box a client is sent to, and why');
  command
    .command('explain')
    .description('candidates, the filter that removed each, the keys compared, the answer')
    .requiredOption('--client <ip>', "the client's address")
    .option('--title <title>', 'id or name; without it, what DNS answers for any title')
    .option('--at <time>', 'as it was then: like 10m (ago) or 2026-12-24T20:15Z')
    .action(({ client, title, at }: { client: string; title?: string; at?: string }) =>
      shell.act(async ({ api, output }) => {
        const { bundle, name } = title === undefined ? anyTitle : await findTitle(api, title);
        if (bundle === undefined && title !== undefined)
          throw coded('TITLE_NOT_LIVE', `${name} has no bundle yet`);
        const explained = await explain(api, {
          client,
          bundle,
          atMs: at === undefined ? undefined : parsePast(at),
        });
        output.facts(explained, () => {
          printExplain(output, explained, name);
        });
      }),
    );
  command.addCommand(steerHealthCommand(shell));
  command.addCommand(steerRecordCommand(shell));
  command.addCommand(steerReplayCommand(shell, loadLab));
  return command;
}

const anyTitle = { bundle: undefined, name: 'any title' };

/** Asks steering why it answers a client what it does, or did at a time; for a bundle, or for none in particular. */
export async function explain(
  api: Api,
  { client, bundle, atMs }: { client: string; bundle: string | undefined; atMs?: number | undefined },
): Promise<ExplainReply> {
  const query = new URLSearchParams({
    client,
    ...(bundle !== undefined && { bundle }),
    ...(atMs !== undefined && { atMs: `${atMs}` }),
  });
  return await api.call({
    path: `${await steeringUrl(api)}/v1/explain?${query.toString()}`,
    reply: ExplainReply,
  });
}

function unrouted({ place }: ExplainReply): string {
  if (place === undefined || place === null) return 'no route reaches it';
  return `no route reaches it; by place, ${place.latitude}, ${place.longitude}`;
}

/** An explanation as a table, what removed each candidate under it. */
export function printExplain(output: Output, explained: ExplainReply, title: string): void {
  const where =
    explained.matchedPrefix === null ? unrouted(explained) : `longest prefix ${explained.matchedPrefix}`;
  const age = formatDuration(explained.mapAgeMs);
  output.line(`${explained.client} asks for ${title}: ${where}; map ${explained.mapSequence}, ${age} old`);
  output.table({
    head: ['rank', 'candidate', 'site', 'cluster', 'prefix', 'class', 'AS path', 'MED', 'km', 'decided by'],
    rows: explained.candidates.map((row) => [
      row.rank === null ? '–' : String(row.rank),
      row.id,
      row.site,
      row.cluster,
      row.keys.prefixLength < 0 ? '–' : `/${row.keys.prefixLength}`,
      row.keys.class,
      String(row.keys.asPathLength),
      String(row.keys.med),
      row.keys.distanceKm === null ? '–' : row.keys.distanceKm.toFixed(0),
      row.decidedBy ?? '',
    ]),
    empty: 'No candidates: the map names no appliance.',
  });
  for (const { id, removedBy, detail } of explained.candidates) {
    if (removedBy !== null) output.line(`– ${id}: ${removedBy}${detail === '' ? '' : `, ${detail}`}`);
  }
  const ways = explained.pathways.map((pathway) => pathway.id).join(', then ');
  output.line(`→ ${ways === '' ? 'nobody: no box qualifies, and no origin is well' : ways}`);
}
