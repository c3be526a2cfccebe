import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { TitleView } from '../../common/contract/titles.ts';
import { serviceNames, type ServiceName } from '../../control-plane/apart/interface.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { addTitle } from '../control-plane/support/add-title.ts';
import { planOf } from '../control-plane/support/billing-lab.ts';
import {
  callPlane,
  enrolNode,
  type TestNode,
  type TestPlane,
} from '../control-plane/support/control-plane.ts';
import { until } from '../control-plane/support/until.ts';
import { removeWithUs } from './end-with-us.ts';
import type { ProofOptions, ProofResult } from './proof.ts';
import { pick, seededRandom } from './seeded.ts';
import { startServiceFleet, type ServiceFleet } from './service-fleet.ts';
import { checkTown } from './services-check.ts';
import { growOn, live, openHousehold, priceMinor, type Town } from './services-households.ts';
import { goesOnWithout, kinds, ServicesJudge, type Kind } from './services-judge.ts';

const households = 3;
const faultsShownMax = 20;
/** Sample bundles last about so long. */
const durationMs = 10_000;
const beatMs = 2000;
/** Longer than a circuit stays open, and than a process takes to start on a busy machine. */
const goOnMs = 90_000;
/** What a process may have in memory, whatever was asked of it. */
const residentMbMax = 600;
const flags = [
  ...['--lease-ms', '1h', '--gateway-address-per-second', '100000', '--gateway-burst-seconds', '1'],
  ...['playback', 'sign-in', 'browse', 'background'].flatMap((priority) => [`--gateway-${priority}-per-second`, '100000']), // prettier-ignore
];

/**
 * Kills a random process of a control plane whose services run apart, `rounds` times, while households sign up, pay, play, watch and are
 * billed. Each kind of request that can do without it must go on before it is started again, and every kind after.
 */
export async function proveServices({ seed, rounds, progress }: ProofOptions): Promise<ProofResult> {
  const dataDir = removeWithUs(await mkdtemp(join(tmpdir(), 'soak-services-')));
  const fleet = await startServiceFleet(dataDir, [...flags, '--ingest-roots', dataDir]);
  const random = seededRandom(seed);
  const judge = new ServicesJudge();
  const kills = new Map<ServiceName, number>();
  const ended = new AbortController();
  let mostMb = new Map<ServiceName, number>();
  try {
    const { town, origin } = await openTown(fleet, { judge, random });
    const living = [...town.known.households.flatMap((one) => live(town, one)), ...growOn(town)];
    living.push(beatOn(origin, ended.signal));
    await allGoOn(judge, kinds, 'at first');
    for (let round = 1; round <= rounds && !judge.isStopped; round++) {
      const name = serviceNames[pick(random, serviceNames.length)] ?? 'core';
      kills.set(name, (kills.get(name) ?? 0) + 1);
      mostMb = most(mostMb, await fleet.residentMb());
      await killOnce(fleet, judge, { name, awayMs: pick(random, 1000) });
      progress?.(`${round} of ${rounds} kills`);
    }
    judge.isOver = true;
    ended.abort();
    await Promise.all(living);
    if (judge.failures.length === 0) judge.failures.push(...(await checkTown(town)));
    for (const [name, mb] of mostMb)
      if (mb > residentMbMax) judge.failures.push(`${name} had ${mb} MB in memory`);
    return { holds: judge.failures.length === 0, lines: linesOf(judge, { kills, mostMb, town }) };
  } finally {
    judge.isOver = true;
    ended.abort();
    await fleet.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function openTown(
  fleet: ServiceFleet,
  { judge, random }: { judge: ServicesJudge; random: () => number },
): Promise<{ town: Town; origin: TestNode }> {
  const { url, dataDir, operator } = fleet;
  const plane: TestPlane = {
    ...{ url, dataDir, operator, firstAdminCode: undefined, routes: [], clock: createSystemClock() },
    call: (route, { token = operator, ...rest } = {}) => callPlane(url, route, { token, ...rest }),
    stop: () => fleet.stop(),
  };
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const origin = await enrolNode(plane, 'origin', { role: 'origin' });
  await origin.beat();
  const { id: titleId } = await addTitle(plane, encoder, { name: 'Solaris' });
  const entitlements = { heightMax: 1080, streamsMax: 100, downloads: false };
  await plane.call('PUT /v1/plans/basic', { body: planOf(priceMinor, { entitlements }) });
  let number = 0;
  const town: Town = {
    ...{ plane, titleId, durationMs, judge, random, next: () => number++ },
    known: { households: [], subscriptions: new Map(), payments: new Map(), plays: 0, sessions: 0 },
  };
  for (let at = 0; at < households; at++) await openHousehold(town);
  // Before it is live viewers do not see it.
  await until(
    async () => (await plane.call(`GET /v1/titles/${titleId}`)).as(TitleView).state,
    (state) => state === 'live',
  );
  return { town, origin };
}

/** A box tells that it is there; what is not heard it tells again. */
async function beatOn(origin: TestNode, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await origin.beat({ holdings: { full: true, added: [], removed: [] } }).catch(() => undefined);
    await sleep(beatMs, undefined, { signal }).catch(() => undefined);
  }
}

async function killOnce(
  fleet: ServiceFleet,
  judge: ServicesJudge,
  { name, awayMs }: { name: ServiceName; awayMs: number },
): Promise<void> {
  judge.begin(name);
  await fleet.kill(name);
  await allGoOn(
    judge,
    kinds.filter((kind) => goesOnWithout(kind, name)),
    `while ${name} is away`,
  );
  await sleep(awayMs);
  await fleet.start(name);
  await allGoOn(judge, kinds, `after ${name} came back`);
  judge.end();
  await allGoOn(judge, kinds, 'when all are there');
}

/** Waits until each of these was done twice more: what was under way before may be one of them. */
async function allGoOn(judge: ServicesJudge, those: readonly Kind[], when: string): Promise<void> {
  const before = new Map(judge.done);
  const endMs = performance.now() + goOnMs;
  const isStuck = (kind: Kind): boolean => (judge.done.get(kind) ?? 0) < (before.get(kind) ?? 0) + 2;
  for (let stuck = those; stuck.length > 0 && !judge.isStopped; stuck = stuck.filter(isStuck)) {
    if (performance.now() > endMs) judge.failures.push(`${stuck.join(', ')}: nothing goes on ${when}`);
    await sleep(20);
  }
}

function most(
  before: ReadonlyMap<ServiceName, number>,
  now: ReadonlyMap<ServiceName, number>,
): Map<ServiceName, number> {
  return new Map([...now].map(([name, mb]) => [name, Math.max(mb, before.get(name) ?? 0)]));
}

function linesOf(
  judge: ServicesJudge,
  { kills, mostMb, town }: { kills: Map<ServiceName, number>; mostMb: Map<ServiceName, number>; town: Town },
): string[] {
  const { known } = town;
  const counted = (map: ReadonlyMap<string, number>): string =>
    [...map].map(([name, count]) => `${name} ${count}`).join(', ');
  return [
    `Killed: ${counted(kills)}`,
    `Acknowledged: ${known.subscriptions.size} subscriptions, ${known.payments.size} payments, ${known.sessions} sessions, ${known.plays} playbacks told of`,
    ...[...judge.counts].toSorted().map(([what, count]) => `${what}: ${count}`),
    `Most memory, MB: ${counted(mostMb)}`,
    ...judge.failures.slice(0, faultsShownMax),
  ];
}
