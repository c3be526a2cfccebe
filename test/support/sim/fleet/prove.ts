import type { ProofOptions, ProofResult } from '../../proof.ts';
import { runFleet, type FleetOptions, type FleetResult } from './fleet.ts';
import { Violation } from './watch.ts';

const demands = [
  { alpha: 0.8, rankChurn: 0.05 },
  { alpha: 0.8, rankChurn: 0.2 },
  { alpha: 1.1, rankChurn: 0.05 },
  { alpha: 1.1, rankChurn: 0.2 },
] as const;

const full = {
  boxesBySite: [8, 7, 6, 6, 5, 5, 5, 4, 4, 4, 3, 3],
  nights: 30,
  titles: 400,
  launchesPerNight: 10,
};

/** A fleet for each round, its demand by its seed; ends at the first that breaks something. */
export async function proveFillSim({ seed, rounds, progress }: ProofOptions): Promise<ProofResult> {
  const lines: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const options: FleetOptions = {
      ...full,
      seed: seed + round,
      ...demands[(seed + round) % demands.length]!,
      onNight: (night) => progress?.(`fleet ${round + 1} of ${rounds}, night ${night} of ${full.nights}`),
    };
    try {
      lines.push(lineOf(options, runFleet(options)));
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return { holds: false, lines: [...lines, error.message] };
    }
  }
  return { holds: true, lines };
}

function lineOf({ seed, alpha, rankChurn }: FleetOptions, result: FleetResult): string {
  const { steps, checks, filledBytes, byteHitRatio, faults, missing } = result;
  const failed = Object.entries(faults).map(([what, count]) => `${what} ${count}`);
  const lacked = Object.entries(missing).map(([why, count]) => `${why} ${count}`);
  return (
    `Seed ${seed} (α ${alpha}, rank churn ${rankChurn}): ${steps.toLocaleString('en')} steps, ${checks.toLocaleString('en')} checks, ` +
    `${(filledBytes / 1e12).toFixed(1)} TB filled, byte hit ratio ${byteHitRatio.toFixed(3)}; failed: ${failed.join(', ')}; ` +
    `missing at a day's end: ${lacked.join(', ')}`
  );
}
