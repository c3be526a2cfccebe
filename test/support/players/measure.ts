import { setTimeout as sleep } from 'node:timers/promises';
import type { PlaybackSession } from '../../../common/contract/playback.ts';
import type { ContentSteeringReply } from '../../../common/contract/steering.ts';
import { breakBox, type BoxFault, type Heal } from './faults.ts';
import { playerNames, type PlayerName, type PlayerSettings, type PlayerState } from './page/player-order.ts';
import type { PlayerRequest, PlayersRig, RunningPlayer } from './rig.ts';
import type { SteeringFault } from './steering-proxy.ts';

/** The longest that our settings may let a film stand still, in all. */
export const stallMsMax = 200;
/** Most that all players together may take to start. */
const startS = 60;
/** The longest wait for the end of the film after its length where only steering fails. */
const steeringPatienceS = 30;
const changeTimeoutMs = 20_000;

/** A playback that was watched. */
export interface Measured {
  readonly name: PlayerName;
  readonly settings: PlayerSettings;
  readonly last: PlayerState;
  readonly requests: readonly PlayerRequest[];
}

/** The box fails while a film plays from it. */
export interface FaultCase {
  readonly fault: BoxFault;
  /** The position at which it fails; at 0 it is gone before the players start. */
  readonly atS: number;
  readonly settings: readonly PlayerSettings[];
  /** The longest wait for the end of the film after its length. */
  readonly patienceS: number;
}

/** Plays the film with every player at once while the box that all of them play from fails, to the end or as long as patience lasts. */
export async function measureFault(rig: PlayersRig, of: FaultCase): Promise<readonly Measured[]> {
  const session = await rig.session();
  const victim = session.pathways[0]?.id ?? '';
  const spoil = () => breakBox(rig, { fault: of.fault, victim, session });
  let heal = of.atS === 0 ? await spoil() : undefined;
  const players = await startPlayers(rig, { session, settings: of.settings });
  await until(players, ({ positionS, fatal }) => positionS > of.atS || fatal !== undefined, startS);
  heal ??= await spoil();
  const measured = await watchToTheEnd(players, session.durationMs / 1000 + of.patienceS);
  await heal();
  return measured;
}

/** Starts every player with each of the settings, on one session: all begin at the same box. */
export async function startPlayers(
  rig: PlayersRig,
  { session, settings }: { session: PlaybackSession; settings: readonly PlayerSettings[] },
): Promise<readonly RunningPlayer[]> {
  const orders = settings.flatMap((kind) => playerNames.map((name) => ({ name, settings: kind, session })));
  return await Promise.all(orders.map((order) => rig.play(order)));
}

/** Waits until it holds of every player, for at most so long. */
export async function until(
  players: readonly RunningPlayer[],
  holds: (state: PlayerState) => boolean,
  waitS: number,
): Promise<void> {
  const deadlineMs = performance.now() + waitS * 1000;
  for (;;) {
    const states = await Promise.all(players.map((player) => player.state()));
    if (states.every(holds) || performance.now() > deadlineMs) return;
    await sleep(100);
  }
}

/** Waits for the end of every playback, and closes the pages. */
export async function watchToTheEnd(
  players: readonly RunningPlayer[],
  waitS: number,
): Promise<readonly Measured[]> {
  await until(players, ({ ended }) => ended, waitS);
  return await Promise.all(
    players.map(async ({ order, requests, leave }) => {
      const { name, settings } = order;
      return { name, settings, last: await leave(), requests };
    }),
  );
}

/** Plays the film with every player at once while steering fails from a position on; at 0 before they start. */
export async function measureSteeringFault(
  rig: PlayersRig,
  of: { fault: SteeringFault; atS: number; settings: readonly PlayerSettings[] },
): Promise<readonly Measured[]> {
  const session = await rig.session();
  using _ = { [Symbol.dispose]: () => void (rig.proxy.fault = 'none') };
  if (of.atS === 0) rig.proxy.fault = of.fault;
  const players = await startPlayers(rig, { session, settings: of.settings });
  await until(players, ({ positionS }) => positionS > of.atS, startS);
  rig.proxy.fault = of.fault;
  return await watchToTheEnd(players, session.durationMs / 1000 + steeringPatienceS);
}

/** How players followed a change of steering's order. */
export interface Followed {
  /** When steering's answers began to put another box first. */
  readonly changedAtMs: number;
  /** The box that was first until then. */
  readonly left: string;
}

/** Drains the box that all play from and waits until steering's answers say so. The box goes on serving: only steering moves anybody. */
export async function changeOrder(
  rig: PlayersRig,
  session: PlaybackSession,
): Promise<Followed & { heal: Heal }> {
  const left = session.pathways[0]?.id ?? '';
  const heal = await breakBox(rig, { fault: 'drained', victim: left, session });
  const deadlineMs = performance.now() + changeTimeoutMs;
  for (;;) {
    const reply = (await (await fetch(session.steeringUrl)).json()) as ContentSteeringReply;
    if (reply['PATHWAY-PRIORITY'][0] !== left) return { left, heal, changedAtMs: performance.now() };
    if (performance.now() > deadlineMs) throw new Error(`steering does not hear that ${left} drains`);
    await sleep(50);
  }
}

/** Milliseconds from a change of order to the player's last request to the box that it was to leave. */
export function followedMs(
  { requests }: Pick<Measured, 'requests'>,
  { changedAtMs, left }: Followed,
): number {
  const last = requests.findLast(({ to }) => to === left);
  return Math.max(0, (last?.atMs ?? changedAtMs) - changedAtMs);
}

/** How many requests went to the box that is to be left after the player had asked steering again. */
export function requestsAfterAnswer(
  { requests }: Pick<Measured, 'requests'>,
  { changedAtMs, left }: Followed,
): number {
  const asked = requests.findIndex(({ atMs, to }) => to === 'steering' && atMs > changedAtMs);
  if (asked < 0) throw new Error('the player did not ask steering again');
  return requests.slice(asked).filter(({ to }) => to === left).length;
}
