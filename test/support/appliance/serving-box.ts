import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { EngineAddress, EngineLimits } from '../../../appliance/engine/engine.ts';
import { BundleIndex } from '../../../appliance/engine/bundle-index.ts';
import { withBundles, type Misses } from '../../../appliance/pull/misses.ts';
import { createEngine, type EngineOptions } from '../../../appliance/engine/create-engine.ts';
import { counterLayout, counterSlots } from '../../../appliance/engine/native-counters.ts';
import { loadAddon } from '../../../appliance/engine/native-loader.ts';
import { TokenGate } from '../../../appliance/engine/token-gate.ts';
import { BufferPool } from '../../../appliance/store/buffer-pool.ts';
import type { ServingRecording } from '../../../appliance/records/serving-recording.ts';
import type { ContentSource } from '../../../appliance/store/content.ts';
import { Disk, type DiskTrouble } from '../../../appliance/store/disk.ts';
import { LocalWriter } from '../../../appliance/store/local-writer.ts';
import { OpenFiles } from '../../../appliance/store/open-files.ts';
import { probeObject } from '../../../common/core/probe-object.ts';
import { createSystemClock, type Clock } from '../../../common/runtime/clock.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { createSilentLog, type Log } from '../../../common/runtime/log.ts';

/** Limits that no test meets by chance. */
export const testLimits: EngineLimits = {
  connectionsMax: 1000,
  requestsMax: 1000,
  headersTimeoutMs: 5000,
  keepAliveTimeoutMs: 5000,
  idleTimeoutMs: 10_000,
  connectionsPerAddressMax: 1000,
  minBytesPerSecond: 0,
  paceBytesPerSecond: 0,
};

/** A pool of the size that the appliance has. */
export function testPool(): BufferPool {
  return new BufferPool({
    sizeBytes: 256 * 1024,
    smallBytes: 32 * 1024,
    budgetBytes: 2 ** 26,
    idleBytesMax: 2 ** 24,
  });
}

/** A new directory that is gone after the test. */
export async function temporaryDirectory(t: { teardown(done: () => Promise<void>): void }): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'nearcast-appliance-'));
  t.teardown(() => rm(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
}

/** Opens a disk on a directory, all in this process. */
export async function testDisk(
  path: string,
  options: {
    number?: number;
    device?: string;
    capacityBytes?: number;
    reserveBytes?: number;
    openMax?: number;
    clock?: Clock;
    /** Takes what the disk tells of itself. */
    troubles?: DiskTrouble[];
  } = {},
) {
  const openFiles = new OpenFiles({ openMax: options.openMax ?? 64 });
  const common = { path, clock: options.clock ?? createSystemClock(), log: createSilentLog() };
  const { writer, contents } = await LocalWriter.open({ ...common, behind: { drop: () => undefined } });
  const disk = new Disk({
    ...{ ...common, writer, contents, openFiles },
    number: options.number ?? 0,
    device: options.device ?? path,
    onTrouble: (trouble) => options.troubles?.push(trouble),
    capacityBytes: options.capacityBytes,
    reserveBytes: options.reserveBytes ?? 0,
    pool: testPool(),
  });
  return { disk, writer, openFiles };
}

/** The two engines, which answer alike. The addon is built by `./dev`; without it there is nothing to be tested. */
export const engineKinds = ['node', 'native'] as const;
export type EngineKind = (typeof engineKinds)[number];

/** The addon, which must be there. */
export function requireAddon() {
  const addon = loadAddon(createSilentLog());
  if (addon === undefined) throw new Error('the addon is not built: run ./dev test, or make it');
  return addon;
}

/** An engine that serves a content source, with the records of what it did. */
export async function testEngine(
  t: { teardown(done: () => Promise<void>): void },
  options: {
    content: ContentSource;
    misses?: Misses;
    limits?: Partial<EngineLimits>;
    kind?: EngineKind;
    at?: EngineAddress | undefined;
    log?: Log;
    /** What serving leaves goes there, not into `records`. */
    recording?: ServingRecording;
  },
) {
  const key = generateKey();
  const clock = createSystemClock();
  const revoked = { sessions: new Set<string>(), bundles: new Set<string>() };
  const gate = new TokenGate({
    findKey: (kid) => (kid === key.kid ? key.publicKey : undefined),
    bundles: new BundleIndex({
      content: options.misses === undefined ? options.content : withBundles(options.content, options.misses),
      filesMax: 10_000,
    }),
    revocations: {
      isSessionRevoked: (session) => revoked.sessions.has(session),
      isBundleRevoked: (bundle) => revoked.bundles.has(bundle),
    },
    clock,
    cacheBytes: 2 ** 20,
  });
  const texts = (): string[] => [];
  const records = {
    sentBytes: 0,
    answered: [] as number[],
    refused: texts(),
    cut: texts(),
    handshakes: texts(),
  };
  const { recording } = options;
  const counters = recording?.counters ?? new Float64Array(counterLayout.length);
  const engineOptions = {
    addon: options.kind === 'native' ? requireAddon() : undefined,
    share: undefined,
    filesMax: 64,
    readMemoryBytes: 2 ** 26,
    counters,
    requestRecords: recording?.recorder,
    name: 'box-1',
    gate,
    content: options.content,
    misses: options.misses,
    clock,
    log: options.log ?? createSilentLog(),
    limits: { ...testLimits, ...options.limits },
    records: recording?.records ?? {
      sent: (_file, _scope, bytes) => void (records.sentBytes += bytes),
      request: (record) => void records.answered.push(record.status),
      handshake: (outcome) => void records.handshakes.push(outcome),
      refused: (code) => void records.refused.push(code),
      cut: (reason) => void records.cut.push(reason),
    },
    health: () => ({ contentType: 'application/json', text: '{"status":"ok"}' }),
    probe: () => ({ contentType: 'application/octet-stream', text: probeObject('box-1', 'ready') }),
    metrics: () => Promise.resolve({ contentType: 'text/plain', text: 'up 1\n' }),
  } satisfies EngineOptions;
  const engine = createEngine(engineOptions);
  t.teardown(() => engine.close(0));
  const { port } = await engine.listen(options.at ?? { host: '127.0.0.1', port: 0 });
  const cutNatively = (): number =>
    (['cutClient', 'cutFile', 'cutIdle', 'cutSlow'] as const).reduce(
      (sum, name) => sum + (counters[counterSlots.indexOf(name)] ?? 0),
      0,
    );
  const cuts = (): number => records.cut.length + cutNatively();
  const parked = (): number => counters[counterSlots.indexOf('parked')] ?? 0;
  return {
    engine,
    engineOptions,
    gate,
    key,
    records,
    cuts,
    parked,
    counters,
    revoked,
    port,
    url: `http://127.0.0.1:${port}`,
  };
}
