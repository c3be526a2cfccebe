import { join } from 'node:path';
import t from 'tap';

import { ReportSpool } from '../../../appliance/fill/report-spool.ts';
import type { FillOutcome, FillReport } from '../../../common/contract/fill.ts';
import { createSeededChance } from '../../../common/runtime/chance.ts';
import { createSystemClock, type Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';

const system = createSystemClock();
const fast: Clock = { ...system, sleep: (ms, options) => system.sleep(ms / 100, options) };

function outcome(index: number): FillOutcome {
  return {
    ...{
      file: index.toString(16).padStart(64, '0'),
      sizeBytes: 1,
      startedAtMs: 0,
      endedAtMs: 1,
      outcome: 'held',
    },
    ...{ chunksVerified: 1, chunksRefused: 0, resumedBytes: 0, bytesBySource: [] },
  };
}

void t.test(
  'outcomes are told in order, a report about one manifest, a repeat with the same id',
  async (test) => {
    const path = join(await temporaryDirectory(test), 'fill-reports');
    const got: FillReport[] = [];
    let isAway = true;
    let seed = 1;
    const open = async () => {
      const spool = new ReportSpool({
        path,
        send: (report) => {
          got.push(report);
          return isAway ? Promise.reject(coded('CONTROL_UNREACHABLE')) : Promise.resolve();
        },
        reportsMax: 10,
        clock: fast,
        chance: createSeededChance(seed++),
        log: createSilentLog(),
      });
      await spool.open();
      return spool;
    };
    const first = await open();
    for (const [sequence, index] of [
      [1, 0],
      [1, 1],
      [2, 2],
    ] as const) {
      first.add(sequence, outcome(index));
    }
    await first.close();
    const end = new AbortController();
    const done = first.run(end.signal);
    while (got.length < 2) await system.sleep(5);
    end.abort();
    await done;
    const [once, again] = got;
    test.same(once, again, 'the same report with the same id');

    got.length = 0;
    isAway = false;
    const second = await open();
    const over = new AbortController();
    const sent = second.run(over.signal);
    second.add(2, outcome(3));
    while (got.flatMap(({ outcomes }) => outcomes).length < 4) await system.sleep(5);
    over.abort();
    await sent;
    test.equal(got[0]?.id, once?.id);
    test.same(
      got.map(({ manifestSequence, outcomes }) => [manifestSequence, outcomes.length]),
      [
        [1, 2],
        [2, 1],
        [2, 1],
      ],
    );
    test.equal(new Set(got.map(({ id }) => id)).size, 3);
  },
);
