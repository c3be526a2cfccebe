import { Filler } from '../../../appliance/fill/filler.ts';
import { Pacer } from '../../../appliance/fill/pacer.ts';
import type { Room } from '../../../appliance/fill/room.ts';
import { SourceClient } from '../../../appliance/fill/source-client.ts';
import type { LoadLevel } from '../../../appliance/core/judge-load.ts';
import type { FillWay } from '../../../appliance/core/choose-way.ts';
import type { FileStore } from '../../../appliance/store/file-store.ts';
import type { FillManifest } from '../../../common/contract/documents.ts';
import type { FillOutcome } from '../../../common/contract/fill.ts';
import { createSeededChance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import type { TestFile } from './content.ts';
import { createFastClock } from './fast-clock.ts';
import { testRoom } from './test-room.ts';

export interface FillingBoxOptions {
  store: FileStore;
  /** One of its own if absent. */
  room?: Room;
  ways: (file: string) => FillWay[];
  clock?: Clock;
  concurrency?: number;
  capBytesPerSecond?: number;
  sourceBytesPerSecond?: number;
  level?: () => LoadLevel;
  stallMs?: number;
}

/** A filler at work on a store, with what it reported. */
export function startFilling(t: { teardown(done: () => Promise<void>): void }, options: FillingBoxOptions) {
  const clock = options.clock ?? createFastClock(20);
  const outcomes: FillOutcome[] = [];
  const chunks = { verified: 0, refused: 0 };
  const { sourceBytesPerSecond, level = () => 'normal' } = options;
  const pacer = new Pacer({ clock, level, sourceBytesPerSecond });
  const sources = new SourceClient({ pacer, clock, stallMs: options.stallMs ?? 300 });
  const filler = new Filler({
    store: options.store,
    room: options.room ?? testRoom(options.store, { clock }),
    sources,
    pacer,
    askSources: (files) =>
      Promise.resolve({ sources: files.map((file) => ({ file, ways: options.ways(file) })) }),
    report: (_sequence, outcome) => void outcomes.push(outcome),
    records: { received: () => undefined, chunk: (outcome) => (chunks[outcome] += 1), file: () => undefined },
    clock,
    chance: createSeededChance(1),
    log: createSilentLog(),
    concurrency: options.concurrency ?? 3,
    capBytesPerSecond: options.capBytesPerSecond,
  });
  const end = new AbortController();
  const done = filler.run(end.signal);
  const stop = async (): Promise<void> => {
    end.abort();
    await done;
    await sources.close();
  };
  t.teardown(stop);
  let sequence = 0;
  const wantBy = (manifest: Partial<FillManifest>): void => {
    filler.setManifest(++sequence, { appliance: 'box', files: [], roster: [], ...manifest });
  };
  const want = (...files: TestFile[]): void => {
    wantBy({ files: wanted(files) });
  };
  return { filler, outcomes, chunks, want, wantBy, stop };
}

/** Files as a manifest names them. */
export function wanted(files: readonly TestFile[]) {
  return files.map(({ file, ext, bytes }) => ({ file, ext, sizeBytes: bytes.length, bundle: file }));
}
