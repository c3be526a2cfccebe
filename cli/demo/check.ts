import { setTimeout as sleep } from 'node:timers/promises';

import { PlaybackSession } from '../../common/contract/playback.ts';
import { ContentSteeringReply, SteeringStatus } from '../../common/contract/steering.ts';
import type { TitleView } from '../../common/contract/titles.ts';
import { coded, toCoded } from '../../common/runtime/errors.ts';
import { parseAs } from '../../common/runtime/parse.ts';
import { formatBytes, formatDuration } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { HeadlessPlayer, holesOf, nameOfRanges, parseMultivariant, type MediaRange } from './player.ts';
import type { DemoSystem } from './system.ts';
import { demoClients } from './topology.ts';

/** What a proof works with. */
export interface CheckContext {
  readonly system: DemoSystem;
  readonly output: Output;
  readonly title: TitleView;
  readonly signal: AbortSignal;
}

const healTimeoutMs = 20_000;
const pollMs = 100;

/** Proves the loop, one line per proof. Returns whether every proof held. */
export async function checkLoop(context: CheckContext): Promise<boolean> {
  let killed = '';
  const proofs: [string, () => Promise<string>][] = [
    ['every byte through steering is the encoder’s', () => proveEveryByte(context)],
    ['each ISP’s client is sent to its own box', () => proveNearness(context)],
    [
      'the serving box killed in mid-play, the rest comes from the next pathway',
      async () => {
        const proof = await proveKill(context);
        killed = proof.killed;
        return proof.detail;
      },
    ],
    ['the control plane stopped, a running playback finishes', () => proveWithoutControlPlane(context)],
    ['the killed box restarted and healthy again', () => proveHealed(context, killed)],
  ];
  let failed = 0;
  for (const [claim, prove] of proofs) {
    const startedMs = performance.now();
    const failure = await prove().then(
      (detail) => {
        context.output.line(`✔ ${claim}: ${detail} (${formatDuration(performance.now() - startedMs)})`);
      },
      (error: unknown) => toCoded(error),
    );
    if (failure === undefined) continue;
    failed++;
    context.output.line(`✖ ${claim}: ${failure.code}: ${failure.message}`);
  }
  context.output.line(`${proofs.length - failed} of ${proofs.length} proofs hold`);
  return failed === 0;
}

/** Starts a playback session as an operator on behalf of a client. */
export async function startSession(
  { system, title }: CheckContext,
  clientAddress: string,
): Promise<PlaybackSession> {
  const body = { titleId: title.id, clientAddress };
  return await system.api.call({
    method: 'POST',
    path: '/v1/playback-sessions',
    body,
    reply: PlaybackSession,
  });
}

/** A headless player on the session, steered once. */
export async function openPlayer(context: CheckContext, session: PlaybackSession): Promise<HeadlessPlayer> {
  const response = await fetch(session.hlsUrl, { signal: context.signal });
  if (!response.ok) throw coded('UNAVAILABLE', `the multivariant playlist answered ${response.status}`);
  const player = new HeadlessPlayer(parseMultivariant(await response.text(), session.hlsUrl), context.signal);
  player.steer(await askSteering(context, session));
  return player;
}

async function askSteering({ signal }: CheckContext, session: PlaybackSession): Promise<string[]> {
  const response = await fetch(`${session.steeringUrl}?_HLS_throughput=5000000`, { signal });
  const reply = parseAs(ContentSteeringReply, await response.json(), {
    what: 'the steering reply',
  });
  return reply['PATHWAY-PRIORITY'];
}

/** Plays picture and sound to the end, range by range in turn; `between` runs after each round. */
export async function playThrough(
  player: HeadlessPlayer,
  between: (share: number) => Promise<void>,
): Promise<string> {
  const playlists = await Promise.all(player.current.playlists.map((_, index) => player.playlist(index)));
  const parts = playlists.map((): { range: MediaRange; bytes: Buffer }[] => []);
  const rounds = Math.max(...playlists.map((playlist) => playlist.ranges.length));
  for (let round = 0; round < rounds; round++) {
    for (const [index, { uri, ranges }] of playlists.entries()) {
      const range = ranges[round];
      const name = uri.slice(uri.lastIndexOf('/') + 1);
      if (range !== undefined)
        parts[index]?.push({
          range,
          bytes: await player.range(index, name, range),
        });
    }
    await between((round + 1) / rounds);
  }
  for (const [index, { uri, ranges }] of playlists.entries()) {
    const name = uri.slice(uri.lastIndexOf('/') + 1);
    for (const hole of holesOf(ranges, player.sizesBytes.get(name) ?? 0))
      parts[index]?.push({
        range: hole,
        bytes: await player.range(index, name, hole),
      });
    const { file } = nameOfRanges(parts[index] ?? []);
    if (!name.startsWith(file)) throw coded('FILE_CORRUPT', `what was played as ${name} is ${file}`);
  }
  const { requests, bytes, bytesByHost } = player.fetched;
  const shares = [...bytesByHost].map(([host, part]) => `${formatBytes(part)} from ${host}`);
  return `${requests} requests, ${formatBytes(bytes)}, ${shares.join(', ')}`;
}

async function proveEveryByte(context: CheckContext): Promise<string> {
  const session = await startSession(context, '127.0.0.1');
  if (session.rankedBy !== 'steering')
    throw coded('STEERING_UNREACHABLE', 'the session was not ranked by steering');
  const player = await openPlayer(context, session);
  const detail = await playThrough(player, () => Promise.resolve());
  if (player.fetched.failovers > 0)
    throw coded('UNAVAILABLE', `${player.fetched.failovers} failovers while every box was up`);
  return detail;
}

async function proveNearness(context: CheckContext): Promise<string> {
  const wanted: Record<string, string> = {
    'in ISP A': 'isp-a',
    'in ISP B': 'isp-b',
    'in neither': 'origin',
  };
  const answers = [];
  for (const { address, where } of demoClients) {
    const [first] = (await startSession(context, address)).pathways;
    answers.push(`${address} → ${first?.id ?? 'nothing'}`);
    if (first?.site !== wanted[where])
      throw coded('NO_PATHWAY', `${address} ${where} was sent to ${first?.id ?? 'nothing'}`);
  }
  return answers.join(', ');
}

async function proveKill(context: CheckContext): Promise<{ killed: string; detail: string }> {
  const session = await startSession(context, '127.0.0.1');
  const player = await openPlayer(context, session);
  let killed = '';
  let noticed: Promise<number> | undefined;
  const detail = await playThrough(player, async (share) => {
    if (share < 0.5 || killed !== '') return;
    killed = player.current.id;
    await context.system.processes.get(killed)?.kill();
    noticed = untilSteeringLeaves(context, session, killed);
    // Awaited below, where a failure counts; until then it must not end the process.
    noticed.catch(() => undefined);
  });
  if (player.fetched.failovers === 0) throw coded('INTERNAL', `${killed} was killed and nobody noticed`);
  const noticedMs = (await noticed) ?? 0;
  return {
    killed,
    detail: `${killed} killed, ${detail}, steering left it after ${formatDuration(noticedMs)}`,
  };
}

/** Milliseconds until steering no longer ranks the box first. */
async function untilSteeringLeaves(
  context: CheckContext,
  session: PlaybackSession,
  id: string,
): Promise<number> {
  const startedMs = performance.now();
  await until(
    context,
    `steering to leave ${id}`,
    async () => (await askSteering(context, session))[0] !== id,
  );
  return performance.now() - startedMs;
}

async function proveWithoutControlPlane(context: CheckContext): Promise<string> {
  const session = await startSession(context, '127.0.0.1');
  const player = await openPlayer(context, session);
  const controlPlane = context.system.processes.get('control-plane');
  let steered: string[] = [];
  const detail = await playThrough(player, async (share) => {
    if (share < 0.3 || steered.length > 0) return;
    await controlPlane?.stop();
    steered = await askSteering(context, session);
    player.steer(steered);
  });
  await context.system.start('control-plane');
  if (steered.length === 0) throw coded('INTERNAL', 'the control plane was not stopped in mid-play');
  return `${detail}, steering still answers ${steered.join(' > ')}`;
}

async function proveHealed(context: CheckContext, killed: string): Promise<string> {
  if (killed === '') throw coded('INTERNAL', 'no box was killed before');
  await context.system.start(killed);
  await context.system.settled();
  const path = `${context.system.topology.steeringUrl}/v1/status`;
  await until(context, `${killed} to be healthy`, async () => {
    const status = await context.system.api.call({
      path,
      reply: SteeringStatus,
    });
    return status.pathways.some((pathway) => pathway.id === killed && pathway.healthy);
  });
  // The control plane has started anew too: a box is offered once it has told what it holds.
  await until(context, `${killed} to be offered`, async () => {
    const { pathways } = await startSession(context, '127.0.0.1');
    return pathways.some(({ id }) => id === killed);
  });
  return `${killed} is offered again`;
}

async function until({ signal }: CheckContext, what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + healTimeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadlineMs)
      throw coded('TIMEOUT', `waited ${formatDuration(healTimeoutMs)} for ${what}`);
    await sleep(pollMs, undefined, { signal });
  }
}
