// `./dev bench events`: players' events from their batches to the disk, and how far what is learned lags behind.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout } from 'node:timers/promises';

import { openBlobs } from '../../common/adapters/blobs/open.ts';
import { openEventLog } from '../../common/adapters/events/log.ts';
import { openSqliteRecords } from '../../common/adapters/records/sqlite.ts';
import type { PlayerEvent } from '../../common/contract/playback.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { createSilentLog } from '../../common/runtime/log.ts';
import { eventsDefaults } from '../../control-plane/services/events/ports.ts';
import type { EventsService } from '../../control-plane/services/events/service.ts';
import { openWholeEvents, type WholeEvents } from '../support/whole-events.ts';
import { lessIsBetter, median, moreIsBetter, runBench } from '../support/bench.ts';
import { pick, seededRandom } from '../support/seeded.ts';

const batchLength = 100;
/** Batches that are under way at once. */
const senders = 32;
const sessions = 50_000;
const offeredPerSecond = 10_000;
const [sites, titles] = [50, 1000];
const bundles = Array.from({ length: titles }, (_, at) => at.toString(16).padStart(64, '0'));

const nodes = {
  findNode: () => undefined,
  siteOf: (id: string) => id.replace(/-\d+$/, ''),
  isNode: () => true,
};

await runBench('events', async ({ quick }) => {
  const rounds = quick ? 1 : 5;
  const events = quick ? 100_000 : 1_000_000;
  const bodies = Array.from({ length: 200 }, (_, at) => bodyOf(seededRandom(at)));
  const taken: Round[] = [];
  for (let round = 0; round < rounds; round++)
    taken.push(await withEvents((whole) => measure(whole, { bodies, events, lagSeconds: quick ? 2 : 10 })));
  const of = (which: keyof Round): number[] => taken.map((round) => round[which]);
  return {
    figures: [
      moreIsBetter({
        ...{ name: 'events.rate', ours: median(of('perSecond')), peer: 'limit', theirs: 50_000 },
        ...{ unit: 'events/s/core', goal: 1 },
      }),
      lessIsBetter({
        ...{ name: 'events.lag', ours: median(of('lagS')), peer: 'limit', theirs: 1 },
        ...{ unit: 's', goal: 1 },
      }),
    ],
    notes: [
      `Each round: ${events} events in batches of ${batchLength} from ${sessions} sessions, ${senders} batches at once, each parsed from its JSON, held against time and its session, known by its ids, written, and answered after an fsync, in one thread. Without HTTP, which the bench of the gateway measures. By CPU time, helping threads included, the rate is in the second column.`,
      'Learned: how fast popularity and quality then catch up with all of it, in the same thread.',
      `events.lag: with both running and ${offeredPerSecond} events a second coming, from the answer of the last batch until it counts.`,
    ],
    details: {
      head: ['round', 'events/s', 'events/s of CPU', 'learned/s', 'lag s', 'RSS MiB'],
      rows: taken.map((round, at) => [
        ...[String(at + 1), round.perSecond.toFixed(0), round.perCpuSecond.toFixed(0)],
        ...[round.learnedPerSecond.toFixed(0), round.lagS.toFixed(3), round.rssMiB.toFixed(0)],
      ]),
    },
  };
});

interface Round {
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly learnedPerSecond: number;
  readonly lagS: number;
  readonly rssMiB: number;
}

async function withEvents(work: (whole: WholeEvents) => Promise<Round>): Promise<Round> {
  const dir = await mkdtemp(join(tmpdir(), 'nearcast-bench-'));
  const log = await openEventLog(join(dir, 'events'));
  const records = await openSqliteRecords(join(dir, 'events.db'));
  const whole = await openWholeEvents({
    reported: () => undefined,
    readTickets: async () => [],
    blobs: await openBlobs(pathToFileURL(join(dir, 'blobs')).href),
    ...{ events: log, records, nodes, clock: createSystemClock(), log: createSilentLog() },
    options: eventsDefaults,
  });
  try {
    return await work(whole);
  } finally {
    await whole.stop();
    await log.close();
    await records.close();
    await rm(dir, { recursive: true, force: true });
  }
}

async function measure(
  whole: WholeEvents,
  { bodies, events, lagSeconds }: { bodies: readonly string[]; events: number; lagSeconds: number },
): Promise<Round> {
  const batches = events / batchLength;
  let next = 0;
  const sendNext = (): Promise<void> => send(whole.service, bodies[next % bodies.length] ?? '', next++);
  const cpu = process.cpuUsage();
  const takenS = await secondsOf(async () => {
    const sender = async (): Promise<void> => {
      while (next < batches) await sendNext();
    };
    await Promise.all(Array.from({ length: senders }, sender));
  });
  const { user, system } = process.cpuUsage(cpu);
  const learnedS = await secondsOf(() => whole.flush());
  whole.start();
  const begun = performance.now();
  for (let sent = 0; sent < lagSeconds * offeredPerSecond; sent += batchLength) {
    const dueMs = begun + (sent / offeredPerSecond) * 1000 - performance.now();
    if (dueMs > 1) await setTimeout(dueMs);
    await sendNext();
  }
  return {
    perSecond: events / takenS,
    perCpuSecond: events / ((user + system) / 1e6),
    learnedPerSecond: events / learnedS,
    lagS: await secondsOf(() => whole.flush()),
    rssMiB: process.memoryUsage.rss() / 2 ** 20,
  };
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

async function send(service: EventsService, body: string, at: number): Promise<void> {
  const { events } = JSON.parse(body) as { events: PlayerEvent[] };
  const timeMs = Date.now();
  const nowS = Math.floor(timeMs / 1000);
  // Each batch is of another session: ids need not differ between them.
  const session = (at % sessions).toString(16).padStart(32, '0');
  const reporter = {
    ...{ client: session, network: session },
    session: { session, bundle: bundles[at % titles], issuedAtS: nowS, expiresAtS: nowS + 20_000 },
    ...{ device: 'desktop' as const, site: undefined },
  };
  for (const event of events) {
    event.timeMs = timeMs;
    event.id = `${event.id}-${at}`;
  }
  const { accepted } = await service.take(events, reporter);
  if (accepted !== batchLength) throw new Error(`of a batch ${accepted} events were taken`);
}

/** A batch as a player sends it: mostly progress, now and then something else. */
function bodyOf(random: () => number): string {
  const events = Array.from({ length: batchLength }, (_, at): PlayerEvent => {
    const id = `event-${pick(random, 2 ** 31)}-${at}`;
    const base = {
      id,
      timeMs: 0,
      positionMs: at * 10_000,
      pathway: `isp-${pick(random, sites)}-${pick(random, 4)}`,
    };
    if (at === 0) return { ...base, type: 'play', startMs: pick(random, 2000) };
    if (pick(random, 20) === 0) return { ...base, type: 'stall', stallMs: pick(random, 3000) };
    return {
      ...base,
      type: 'progress',
      playedMs: 10_000,
      bitrateBps: 5_000_000,
      throughputBps: pick(random, 1e8),
    };
  });
  return JSON.stringify({ events });
}
