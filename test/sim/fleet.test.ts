import t from 'tap';

import { planFill as diffFill } from '../../appliance/core/fill-diff.ts';
import { TokenBucket } from '../../common/core/token-bucket.ts';
import { realCores, runFleet, type FleetCores, type FleetOptions } from '../support/sim/fleet/fleet.ts';
import { Violation } from '../support/sim/fleet/watch.ts';

const small: FleetOptions = {
  seed: 1,
  boxesBySite: [3, 4, 5],
  nights: 3,
  titles: 120,
  launchesPerNight: 3,
  alpha: 0.8,
  rankChurn: 0.2,
};

for (const [seed, alpha, rankChurn] of [
  [1, 0.8, 0.2],
  [2, 1.1, 0.05],
] as const) {
  t.test(`some nights of seed ${seed} break nothing that must hold`, async (t) => {
    const result = runFleet({ ...small, seed, alpha, rankChurn });
    t.ok(result.steps > 1000 && result.checks > 1000, 'something happened, and was checked');
    t.ok(
      result.filledBytes > 0 && result.byteHitRatio > 0.1,
      'boxes were filled, and viewers found files on them',
    );
    const { disks, boxes, links } = result.faults;
    t.ok(disks > 0 && boxes > 0 && links > 0, 'disks, boxes and links failed');
  });
}

t.test('the same seed is the same run', async (t) => {
  const options = { ...small, nights: 2, seed: 3 };
  t.same(runFleet(options), runFleet(options));
});

/** Runs with something broken put in; the violation that is found. */
function violationOf(broken: Partial<FleetCores>): Violation {
  try {
    runFleet({ ...small, seed: 7 }, { ...realCores, ...broken });
  } catch (error) {
    if (error instanceof Violation) return error;
    throw error;
  }
  throw new Error('nothing was found');
}

t.test('what breaks a rule is found, with the seed to replay it', async (t) => {
  const evictsLeased = violationOf({
    diff: (input) => {
      const diff = diffFill(input);
      const leased = [...input.held].find(([file, { inUse }]) => inUse && !diff.remove.includes(file));
      return leased === undefined ? diff : { ...diff, remove: [...diff.remove, leased[0]] };
    },
  });
  t.match(
    evictsLeased.message,
    /evicts .* while it is leased; seed 7: \.\/dev soak fill-sim --seed 7 --rounds 1$/,
  );

  const tooFast = violationOf({
    newBucket: (bytesPerSecond, nowMs) =>
      new TokenBucket({ ratePerSecond: bytesPerSecond * 1.05, burst: bytesPerSecond, nowMs }),
  });
  t.match(tooFast.message, /fills faster than its cap|carries more than its cap/);

  const tooMuch = violationOf({
    diff: (input) => {
      const diff = diffFill(input);
      return { ...diff, fetch: diff.fetch.map((wanted) => ({ ...wanted, disk: 0 })) };
    },
  });
  t.match(tooMuch.message, /bytes on disk \d, which takes/);

  const forgets = violationOf({
    diff: (input) => {
      const diff = diffFill(input);
      return { ...diff, fetch: diff.fetch.slice(1) };
    },
  });
  t.match(forgets.message, /lacks .* and nothing says why/);
});
