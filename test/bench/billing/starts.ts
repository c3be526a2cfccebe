import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openGrouped } from '../../../common/adapters/records/open.ts';
import type { Pathway } from '../../../common/contract/steering.ts';
import { mintDeliveryToken } from '../../../common/core/tokens/delivery-token.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { coded, isCoded } from '../../../common/runtime/errors.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import type { EntitlementsCache } from '../../../control-plane/services/billing/entitlements.ts';
import { playbackDefaults } from '../../../control-plane/services/playback/ports.ts';
import { createPlayback, type Playback } from '../../../control-plane/services/playback/service.ts';
import { createSteeringRanker } from '../../../control-plane/services/playback/steering-ranker.ts';
import { sampleBundle } from '../../control-plane/support/sample-bundle.ts';
import { pick, seededRandom } from '../../support/seeded.ts';
import { startSteeringControl } from '../../support/steering-control.ts';
import { appliance, mapOf, origin } from '../../support/steering-maps.ts';
import { startBox, startSteering, until } from '../../support/steering-process.ts';

const boxes = 8;

interface StartOptions {
  readonly directory: string;
  readonly titles: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly account: (random: () => number) => string;
  readonly entitlements: EntitlementsCache;
}

interface Starts {
  /** From when each was to come, in ms. */
  readonly times: number[];
  /** CPU of this process for one, in ms: what else the machine does does not change it. */
  readonly cpuMs: number;
  readonly said: string;
}

/** Starts playbacks at a rate and times each from when it was to come, in ms. */
export async function measureStarts(options: StartOptions): Promise<Starts> {
  const { directory, titles } = options;
  const names = Array.from({ length: titles }, (_, index) => sha(`bundle ${index}`));
  const world = await startWorld(directory, names);
  try {
    const playback = await openPlayback(options, { ...world, names });
    try {
      // Warms up what is compiled at its first run.
      await run(playback.playback, { ...options, seconds: 1 });
      return await run(playback.playback, options);
    } finally {
      await playback.close();
    }
  } finally {
    await world.close();
  }
}

/** Steering in a process of its own, with a map of some boxes that hold everything. */
async function startWorld(directory: string, names: readonly string[]) {
  const control = await startSteeringControl();
  const running = await Promise.all(Array.from({ length: boxes }, (_, index) => startBox(`box-${index}`)));
  const originBox = await startBox('origin');
  const appliances = [
    ...running.map(({ url }, index) => appliance(`box-${index}`, { url })),
    origin('origin', { url: originBox.url }),
  ];
  const map = mapOf(appliances, {
    bundles: names.map((bundle) => ({ bundle, holders: [...appliances.keys()] })),
  });
  control.publish(await control.signMap(map, 1), 1);
  const dataDir = join(directory, 'steering');
  mkdirSync(dataDir);
  const steering = await startSteering({ dataDir, controlUrl: control.url, code: control.code });
  const token = await control.accessToken('service');
  const pathways = appliances.map(({ id, role, url, site, cluster }): Pathway => ({ id, role, url, site, cluster })); // prettier-ignore
  return {
    ...{ steeringUrl: steering.url, token, pathways },
    close: async () => {
      await steering.stop();
      await Promise.all([...running, originBox].map((box) => box.kill()));
      await control.close();
    },
  };
}

async function openPlayback(
  { directory, entitlements }: StartOptions,
  world: { steeringUrl: string; token: string; pathways: Pathway[]; names: readonly string[] },
): Promise<{ playback: Playback; close: () => Promise<void> }> {
  const { steeringUrl, token, pathways, names } = world;
  const [clock, chance] = [createSystemClock(), createSystemChance()];
  const serviceToken = async () => ({ token, expiresAtMs: clock.nowMs() + 3_600_000 });
  const ranker = createSteeringRanker({ steeringUrl, clock, chance, serviceToken });
  const onLost = (error: Error): never => {
    throw error;
  };
  const records = await openGrouped(`sqlite://${join(directory, 'playback.db')}`, {
    onLost,
    syncsLaterBy: clock,
  });
  const { kid, privateKey: key } = generateKey();
  const bundle = sampleBundle();
  const files = bundle.files.map(({ file }) => file);
  const rank = (bundleName: string) =>
    ranker.rank({ client: '10.1.2.3', bundle: bundleName }, { signal: AbortSignal.timeout(5000) });
  await until('steering ranks', async () => (await rank(names[0] ?? '').catch(() => [])).length > 1);
  const playback = await createPlayback({
    ...{ records, clock, chance, log: createSilentLog(), rank: ranker.rank },
    catalog: {
      playable: async ({ titleId }) => {
        const bundleName = names[Number(titleId.slice('title_number-'.length))];
        if (bundleName === undefined) throw coded('TITLE_UNKNOWN', titleId);
        return { titleId, name: titleId, bundleName, files };
      },
      bundle: async () => bundle,
    },
    fleet: { siteOf: async () => ({ site: 'site-a' }), holders: async () => ({ pathways }) },
    tokens: {
      mint: async ({ claims }) => ({ tokens: claims.map((one) => mintDeliveryToken(one, { kid, key })) }),
    },
    users: { resume: async () => ({}) },
    billing: {
      entitlements: async ({ accountId }) => {
        const { isRequired, entitlements: held } = await entitlements.of(accountId);
        return { isRequired, ...(held && { entitlements: held }) };
      },
    },
    events: { begun: async () => ({}) },
    options: { ...playbackDefaults, publicUrl: () => 'http://127.0.0.1', steeringUrl },
  });
  return {
    playback,
    close: async () => {
      await ranker.close();
      await records.close();
    },
  };
}

async function run(
  playback: Playback,
  { titles, seconds, perSecond, account }: Pick<StartOptions, 'titles' | 'seconds' | 'perSecond' | 'account'>,
): Promise<Starts> {
  const random = seededRandom(seconds);
  const times: number[] = [];
  const said = { ranked: 0, fallback: 0, refused: 0 };
  const start = async (dueMs: number): Promise<void> => {
    const order = {
      titleId: `title_number-${pick(random, titles)}`,
      client: '10.1.2.3',
      subscriber: { account: account(random), device: 'tv' },
    };
    try {
      const { rankedBy } = await playback.createSession(order);
      said[rankedBy === 'steering' ? 'ranked' : 'fallback']++;
    } catch (error) {
      if (!isCoded(error, 'STREAMS_TOO_MANY')) throw error;
      said.refused++;
    }
    times.push(performance.now() - dueMs);
  };
  const begun = performance.now();
  const cpuBefore = process.cpuUsage();
  const all: Promise<void>[] = [];
  const total = seconds * perSecond;
  while (all.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - begun) / 1000) * perSecond));
    while (all.length < due) all.push(start(begun + (all.length * 1000) / perSecond));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(all);
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    times,
    cpuMs: (user + system) / 1000 / total,
    said: `${said.ranked} ranked by steering, ${said.fallback} by the fallback, ${said.refused} streams too many`,
  };
}

function sha(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
