import { Command } from 'commander';

import { ExplainReply } from '../../common/contract/steering.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Api } from '../api.ts';
import { findTitle } from '../find-title.ts';
import { formatDuration } from '../output/format.ts';
import { visible, type Output } from '../output/output.ts';
import { parseClient } from '../parse-client.ts';
import type { CommandShell } from '../shell.ts';
import { steerHealthCommand, steeringUrl } from './steer-health.ts';
import { parsePast, steerRecordCommand, steerReplayCommand, type SteeringLab } from './steer-history.ts';

/** `nearcast steer explain|health|record|replay`. */
export function steerCommand(shell: CommandShell, loadLab: () => Promise<SteeringLab>): Command {
  const command = new Command('steer').description('which box a client is sent to, and why');
  command
    .command('explain')
    .description('candidates, the filter that removed each, the keys compared, the answer')
    .requiredOption('--client <ip>', "the client's address", parseClient)
    .option('--title <title>', 'id or name; without it, what DNS answers for any title')
    .option('--at <time>', 'as it was then: like 10m (ago) or 2026-12-24T20:15Z')
    .option('--from <url>', "the steering node to ask; the control plane's unless given")
    .action(({ client, title, at, from }: ExplainFlags) =>
      shell.act(async ({ api, output }) => {
        const { bundle, name } = title === undefined ? anyTitle : await findTitle(api, title);
        if (bundle === undefined && title !== undefined)
          throw coded('TITLE_NOT_LIVE', `${name} has no bundle yet`);
        const atMs = at === undefined ? undefined : parsePast(at);
        const explained = await explain(api, { client, bundle, atMs, from });
        output.facts(explained, () => {
          printExplain(output, explained, { title: name, atMs });
        });
      }),
    );
  command.addCommand(steerHealthCommand(shell));
  command.addCommand(steerRecordCommand(shell));
  command.addCommand(steerReplayCommand(shell, loadLab));
  return command;
}

interface ExplainFlags {
  readonly client: string;
  readonly title?: string;
  readonly at?: string;
  readonly from?: string;
}

const anyTitle = { bundle: undefined, name: 'any title' };

/** Asks steering why it answers a client what it does, or did at a time; for a bundle, or for none in particular. */
export async function explain(
  api: Api,
  {
    client,
    bundle,
    atMs,
    from,
  }: { client: string; bundle: string | undefined; atMs?: number | undefined; from?: string | undefined },
): Promise<ExplainReply> {
  const query = new URLSearchParams({
    client,
    ...(bundle !== undefined && { bundle }),
    ...(atMs !== undefined && { atMs: `${atMs}` }),
  });
  return await api.call({
    path: `${from ?? (await steeringUrl(api))}/v1/explain?${query.toString()}`,
    reply: ExplainReply,
  });
}

function unrouted({ place }: ExplainReply): string {
  if (place === undefined || place === null) return 'no route reaches it';
  return `no route reaches it; by place, ${place.latitude}, ${place.longitude}`;
}

/** An explanation as a table, and under it what is to be said of each candidate; `atMs` where it is of the past. */
export function printExplain(
  output: Output,
  explained: ExplainReply,
  { title, atMs }: { title: string; atMs?: number | undefined },
): void {
  const where =
    explained.matchedPrefix === null ? unrouted(explained) : `longest prefix ${explained.matchedPrefix}`;
  const age = formatDuration(explained.mapAgeMs);
  const then = atMs === undefined ? '' : ` at ${new Date(atMs).toISOString()}`;
  output.line(
    visible(
      `${explained.client} asks for ${title}${then}: ${where}; map ${explained.mapSequence}, ${age} old`,
    ),
  );
  output.table({
    head: ['rank', 'candidate', 'site', 'cluster', 'prefix', 'class', 'AS path', 'MED', 'km', 'tie-break', 'decided by'], // prettier-ignore
    rows: explained.candidates.map(candidateRow),
    empty: 'No candidates: the map names no appliance.',
  });
  for (const { id, rank, removedBy, detail } of explained.candidates) {
    const why = [removedBy ?? '', detail].filter((part) => part !== '').join(', ');
    // Reasons are said by boxes.
    if (why !== '') output.line(visible(`${rank ?? '–'} ${id}: ${why}`));
  }
  const ways = explained.pathways.map((pathway) => pathway.id).join(', then ');
  output.line(`→ ${ways === '' ? 'nobody: no box qualifies, and no origin is well' : ways}`);
}

function candidateRow({ rank, id, site, cluster, keys, decidedBy }: ExplainReply['candidates'][number]) {
  const ofRoute = (value: number | string): string => (keys.prefixLength < 0 ? '–' : String(value));
  return [
    rank === null ? '–' : String(rank),
    ...[id, site, cluster],
    ...[`/${keys.prefixLength}`, keys.class, keys.asPathLength, keys.med].map(ofRoute),
    keys.distanceKm === null ? '–' : keys.distanceKm.toFixed(0),
    // The greater is the better; nobody who was removed was compared.
    rank === null ? '–' : keys.rendezvous.toFixed(3),
    decidedBy ?? '',
  ];
}
