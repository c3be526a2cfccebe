import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import type { QoeDimension, QoeRow } from '../../common/contract/qoe.ts';
import { createManualClock } from '../../common/runtime/manual-clock.ts';
import { addQoe, noQoe, qoeOf, qoeRow, type QoeSums } from '../../control-plane/services/events/core/qoe.ts';
import { batchLength, soakBatch, soakSessions } from './events-soak-batch.ts';
import { beginCharged, begunBeforeMs, ExpectedUsage, overAfterMs } from './events-soak-billing.ts';
import { openSoakService } from './events-soak-service.ts';
import type { ProofOptions, ProofResult } from './proof.ts';
import { pick, seededRandom } from './seeded.ts';

interface Soak {
  readonly directory: string;
  readonly startMs: number;
  readonly random: () => number;
  readonly batchesPerRound: number;
  readonly failures: string[];
  /** Batches that were answered, each of them below `first` or in here. */
  readonly answered: Set<number>;
  /** All before it were answered. */
  first: number;
  rssMiB: number;
}

/**
 * Kills the events service with SIGKILL `rounds` times while batches come, each until it is answered and some twice or over a kill; in the
 * end what was learned must be what the batches add up to, each once.
 */
export async function proveEvents(
  { seed, rounds }: ProofOptions,
  { batchesPerRound }: { batchesPerRound: number },
): Promise<ProofResult> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-events-soak-'));
  const soak: Soak = {
    ...{ directory, startMs: Date.now(), random: seededRandom(seed), batchesPerRound },
    ...{ failures: [], answered: new Set(), first: 0, rssMiB: 0 },
  };
  try {
    await begin(soak);
    for (let round = 1; round <= rounds && soak.failures.length === 0; round++) await live(soak);
    const { events, seconds } = await check(soak);
    return {
      holds: soak.failures.length === 0,
      lines: [
        `Events: ${events}, seconds charged: ${seconds}, kills: ${rounds}; the process had at most ${soak.rssMiB.toFixed(0)} MiB of memory`,
        ...soak.failures,
      ],
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Accounts subscribe, and sessions of theirs begin. */
async function begin({ directory, startMs }: Soak): Promise<void> {
  const clock = createManualClock({ nowMs: startMs - begunBeforeMs });
  const { billing, close } = await openSoakService(directory, clock);
  await beginCharged(billing, soakSessions);
  await close();
}

/** One life of the process: at least so many batches, then a kill at any moment. What was not answered is sent again by the next. */
async function live(soak: Soak): Promise<void> {
  const worker = new URL('events-soak-worker.ts', import.meta.url).pathname;
  const argv = [worker, soak.directory, String(soak.first), String(soak.startMs)];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const batches = soak.batchesPerRound + pick(soak.random, Math.ceil(soak.batchesPerRound / 4));
  let heard = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const { number, again, rssMiB } = JSON.parse(line) as Record<'number' | 'again' | 'rssMiB', number>;
    if (again > 0) soak.failures.push(`of batch ${number} ${again} events were taken twice`);
    soak.rssMiB = Math.max(soak.rssMiB, rssMiB);
    soak.answered.add(number);
    while (soak.answered.delete(soak.first)) soak.first++;
    if (++heard === batches) child.kill('SIGKILL');
  }
  const [code] = (await exited) as [number | null];
  if (code !== null) soak.failures.push(`the process ended by itself, with ${code}`);
}

/** Sends what was never answered once more, and compares; gives how many events there were, and how many seconds were charged. */
async function check(soak: Soak): Promise<{ events: number; seconds: number }> {
  const clock = createManualClock({ nowMs: Date.now() + overAfterMs });
  const { whole, billing, close } = await openSoakService(soak.directory, clock);
  const { service } = whole;
  try {
    // A process takes up to eight batches at once, of which some may be there without an answer.
    const batches = Math.max(soak.first, ...soak.answered) + 16;
    const usage = new ExpectedUsage();
    const expected = new Map<QoeDimension, Map<string, QoeSums>>();
    for (let number = 0; number < batches; number++) {
      const { sender, events } = soakBatch(number, soak.startMs);
      usage.add(sender.session, events);
      if (number >= soak.first)
        await service.take(events, {
          ...{ client: sender.session, network: sender.session },
          session: { ...sender, issuedAtS: 0, expiresAtS: 86_400 },
          ...{ device: 'tv', site: sender.site },
        });
      const sums = events.reduce((sum, event) => addQoe(sum, qoeOf(event) ?? noQoe), noQoe);
      note(expected, 'site', { name: sender.site, sums });
      note(expected, 'title', { name: sender.bundle, sums });
      note(expected, 'appliance', { name: `${sender.site}-1`, sums });
      note(expected, 'device', { name: 'tv', sums });
    }
    await whole.flush();
    for (const [by, names] of expected) {
      const { rows } = await service.qoe({ by, days: 9 }, async () => new Map());
      const wanted = [...names].map(([name, sums]) => textOf(qoeRow(name, sums))).sort();
      if (rows.map(textOf).sort().join('\n') !== wanted.join('\n'))
        soak.failures.push(`what was learned by ${by} is not what was sent`);
    }
    const { seconds, faults } = await usage.faults(billing);
    soak.failures.push(...faults.slice(0, 20));
    return { events: batches * batchLength, seconds };
  } finally {
    await close();
  }
}

function note(
  expected: Map<QoeDimension, Map<string, QoeSums>>,
  by: QoeDimension,
  { name, sums }: { name: string; sums: QoeSums },
): void {
  const names = expected.get(by) ?? new Map<string, QoeSums>();
  expected.set(by, names.set(name, addQoe(names.get(name) ?? noQoe, sums)));
}

/** The bitrate is a mean of fractions, which sums in another order round otherwise. */
function textOf({ bitrateBps, ...row }: QoeRow): string {
  return JSON.stringify({ ...row, bitrateBps: bitrateBps?.toPrecision(9) });
}
