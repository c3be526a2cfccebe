import { openCollection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { TimeMs } from '../../../common/contract/primitives.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import type { AccountExport } from '../../../common/contract/accounts.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import type { PersonalData } from '../personal-data.ts';
import { createTurns } from '../turns.ts';

const ErasureRecord = Type.Object({
  startedAtMs: TimeMs,
  /** Services that have erased all that they knew. */
  done: Type.Array(Type.String()),
});
type ErasureRecord = Static<typeof ErasureRecord>;

export interface PrivacyOptions {
  records: Records;
  /** In the order in which they erase: first the one without which nothing new comes to the others. */
  services: readonly PersonalData[];
  exists: (accountId: string) => Promise<boolean>;
  clock: Clock;
  log: Log;
}

/** What people may ask of those who know something about them: to be told it, and to be forgotten. */
export interface Privacy {
  /** ACCOUNT_UNKNOWN. */
  export(accountId: string): Promise<AccountExport>;
  /**
   * Erases an account in every service and from their files. Once begun it is carried to its end, after a crash too; a caller who hears
   * of a failure need not ask again. ACCOUNT_UNKNOWN.
   */
  erase(accountId: string): Promise<void>;
  /** Carries on what was begun, until the signal is aborted. */
  watch(signal: AbortSignal): Promise<void>;
}

const retryEveryMs = 60_000;

/** Opens privacy over the services that know people. */
export function createPrivacy({ records, services, exists, clock, log }: PrivacyOptions): Privacy {
  const inTurn = createTurns();
  const erasures = openCollection(records, 'erasures', (value) =>
    parseAs(ErasureRecord, value, { what: 'the record of an erasure', code: 'STORE_CORRUPT' }),
  );

  const carryOn = async (accountId: string, begun: ErasureRecord): Promise<void> => {
    let erasure = begun;
    for (const service of services) {
      if (erasure.done.includes(service.name)) continue;
      await service.erase(accountId);
      erasure = { ...erasure, done: [...erasure.done, service.name] };
      await erasures.put(accountId, erasure);
    }
    for (const service of services) await service.purge();
    await erasures.remove(accountId);
    await records.purge();
  };
  const carryOnAll = async (): Promise<void> => {
    for (const { key, value } of await erasures.scan()) {
      await inTurn(() => carryOn(key, value)).catch((error: unknown) => {
        log.error({ err: error }, 'an account is not erased yet; it is tried again in a minute');
      });
    }
  };

  return {
    async export(accountId) {
      if (!(await exists(accountId))) throw coded('ACCOUNT_UNKNOWN', accountId);
      const parts: Record<string, unknown> = {};
      for (const service of services) {
        const part = await service.export(accountId);
        if (part !== undefined) parts[service.name] = part;
      }
      return { accountId, exportedAtMs: clock.nowMs(), parts };
    },
    erase: (accountId) =>
      inTurn(async () => {
        const begun = (await erasures.get(accountId))?.value;
        if (begun === undefined && !(await exists(accountId))) throw coded('ACCOUNT_UNKNOWN', accountId);
        const erasure = begun ?? { startedAtMs: clock.nowMs(), done: [] };
        if (begun === undefined) await erasures.put(accountId, erasure);
        await carryOn(accountId, erasure);
      }),
    async watch(signal) {
      while (!signal.aborted) {
        await carryOnAll();
        await clock.sleep(retryEveryMs, { signal }).catch(() => undefined);
      }
    },
  };
}
