import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { AccessRecords } from './records.ts';

const floorKey = 'floor';
/** For bursts shortly after the backup. */
const slack = 1_000_000;
/** More than any audience can have been given on average: maps and manifests wait 100 ms for what changes next, revocations have a limit of 100,000 a day. */
const growthPerSecond = 20;

/** What every new sequence has to be above; 0 where nothing was ever restored. */
export async function sequenceFloor(records: AccessRecords): Promise<number> {
  return (await records.sequenceFloor.get(floorKey))?.value.sequence ?? 0;
}

/**
 * Lifts the floor of all sequences above everything that can have been given out since a backup was taken, of whatever kind and to
 * whomever: readers refuse an older sequence than they have seen. It depends on the time that has passed, so a backup that is restored twice
 * comes higher the second time. DNS serials are sequences modulo 2³² and stay within the 2³¹ of RFC 1982 for backups of up to three years.
 * CLOCK_SKEW where the clock is before the backup.
 */
export async function liftSequences(
  records: AccessRecords,
  { takenAtMs, clock }: { takenAtMs: number; clock: Clock },
): Promise<void> {
  const elapsedMs = clock.nowMs() - takenAtMs;
  if (elapsedMs < 0) {
    const when = new Date(takenAtMs).toISOString();
    throw coded(
      'CLOCK_SKEW',
      `the backup was taken at ${when}, which is still to come; set this machine's clock`,
    );
  }
  let highest = await sequenceFloor(records);
  for await (const { value } of records.issues.all()) highest = Math.max(highest, value.sequence);
  for await (const { value } of records.keyset.all()) highest = Math.max(highest, value.sequence);
  const sequence = highest + slack + Math.ceil((elapsedMs / 1000) * growthPerSecond);
  await records.sequenceFloor.put(floorKey, { sequence });
}
