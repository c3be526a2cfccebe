import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openBooks } from '../../common/adapters/records/open.ts';
import { createSystemChance } from '../../common/runtime/chance.ts';
import { createManualClock } from '../../common/runtime/manual-clock.ts';
import { createBilling } from '../../control-plane/services/billing/service.ts';
import { auditBilling, quiet } from '../control-plane/support/billing-lab.ts';
import type { Done } from './billing-life.ts';
import type { ProofOptions, ProofResult } from './proof.ts';
import { pick, seededRandom } from './seeded.ts';
import { onLost } from './on-lost.ts';

const startMs = Date.UTC(2026, 0, 31, 11);

interface Soak {
  readonly path: string;
  readonly random: () => number;
  readonly accounts: number;
  readonly stepsPerRound: number;
  readonly failures: string[];
  number: number;
  nowMs: number;
  done: number;
}

/**
 * Kills billing with SIGKILL `rounds` times amid random operations, and after each kill compares the ledger with all papers, and asks
 * again what was answered last: it must be there, once, with the same answer.
 */
export async function proveBilling(
  { seed, rounds }: ProofOptions,
  { stepsPerRound, accounts }: { stepsPerRound: number; accounts: number },
): Promise<ProofResult> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-billing-soak-'));
  const random = seededRandom(seed);
  const soak: Soak = {
    ...{ path: join(directory, 'billing.db'), random, accounts, stepsPerRound },
    ...{ failures: [], number: 0, nowMs: startMs, done: 0 },
  };
  const lines: string[] = [];
  try {
    for (let round = 1; round <= rounds && soak.failures.length === 0; round++) {
      const answered = await live(soak);
      const counts = await check(soak, answered);
      if (round === rounds) lines.push(counts);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  const years = ((soak.nowMs - startMs) / (365.25 * 86_400_000)).toFixed(1);
  return {
    holds: soak.failures.length === 0,
    lines: [
      `Operations: ${soak.number}, of which ${soak.done} changed something; kills: ${rounds}; simulated years: ${years}`,
      ...lines,
      ...soak.failures,
    ],
  };
}

/** One life of the process: at least so many steps, then a kill at any moment. Gives what it had answered last. */
async function live(soak: Soak): Promise<Done[]> {
  const worker = new URL('billing-soak-worker.ts', import.meta.url).pathname;
  const { path, random, number, nowMs, accounts } = soak;
  const argv = [path, pick(random, 2 ** 31), number, nowMs, accounts].map(String);
  const child = spawn(process.execPath, [worker, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const steps = soak.stepsPerRound + pick(random, Math.ceil(soak.stepsPerRound / 4));
  const answered: Done[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { number: number; nowMs: number; done?: Done };
    soak.nowMs = said.nowMs;
    soak.number = said.number + 1;
    if (said.done !== undefined) {
      soak.done++;
      answered.push(said.done);
      if (answered.length > 20) answered.shift();
    }
    if (said.number === number + steps) child.kill('SIGKILL');
  }
  const [code] = (await exited) as [number | null];
  if (code !== null) soak.failures.push(`the process ended by itself, with ${code}`);
  // A step may have been booked whose answer did not come: its key is not used again.
  soak.number++;
  return answered;
}

async function check(soak: Soak, answered: readonly Done[]): Promise<string> {
  const books = await openBooks(`sqlite://${soak.path}`, { onLost });
  try {
    const clock = createManualClock({ nowMs: soak.nowMs });
    const billing = createBilling({ ...quiet, books, clock, chance: createSystemChance() });
    for (const { ask, reply } of answered) {
      const again = await billing.once(ask, () => Promise.reject(new Error('it was not booked')));
      if (JSON.stringify(again) !== JSON.stringify(reply))
        soak.failures.push(`${ask.key} has another answer`);
    }
    soak.failures.push(...(await auditBilling({ billing, books })));
    const { transactions, entries, papers, balances } = await billing.verify();
    return `In the end: ${transactions} transactions of ${entries} entries, ${balances} balances, ${papers} invoices and credit notes`;
  } catch (error) {
    soak.failures.push(`after step ${soak.number}: ${String(error)}`);
    return '';
  } finally {
    await books.close();
  }
}
