import { connect } from 'node:net';

import type { FillWay } from '../../../appliance/core/choose-way.ts';
import { createMisses } from '../../../appliance/pull/create-misses.ts';
import { createPull } from '../../../appliance/pull/pull-part.ts';
import { createSystemClock, type Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';
import type { FileStore } from '../../../appliance/store/file-store.ts';
import { seededBytes, testBundle, testFile, testToken, type TestFile } from './content.ts';
import { testRoom } from './test-room.ts';
import { temporaryDirectory, testDisk, testEngine, type EngineKind } from './serving-box.ts';

interface Test {
  teardown(done: () => Promise<void>): void;
}

export const mib = 1024 * 1024;

export interface PullSetup {
  mode?: 'fetch' | 'redirect';
  stallMs?: number;
  clock?: Clock;
  /** Where a file is, as the control plane says; undefined while it does not answer. */
  ways: (file: string) => FillWay[] | undefined;
}

/** Pull-through at work on a store. */
export function startPull(t: Test, store: FileStore, setup: PullSetup) {
  const { mode = 'fetch', stallMs = 400, clock = createSystemClock(), ways } = setup;
  const metrics = createMetrics({ name: 'box', version: '1.2.3' });
  const room = testRoom(store, { clock });
  const asked: string[] = [];
  let receivedBytes = 0;
  const part = createPull({
    config: { miss: mode, fillStallMs: stallMs },
    clock,
    log: createSilentLog(),
    store,
    room,
    metrics,
    askSources: (files) => {
      asked.push(...files);
      const sources = files.map((file) => ({ file, ways: ways(file) }));
      const known = sources.flatMap((each) =>
        each.ways === undefined ? [] : [{ ...each, ways: each.ways }],
      );
      if (known.length < sources.length) return Promise.reject(coded('CONTROL_UNREACHABLE'));
      return Promise.resolve({ sources: known });
    },
    onReceived: (bytes) => {
      receivedBytes += bytes;
    },
  });
  if (part === undefined) throw new Error('nothing is pulled');
  const end = new AbortController();
  void part.component.start?.({
    signal: end.signal,
    crash: (error) => {
      throw error;
    },
  });
  const stop = async (): Promise<void> => {
    end.abort();
    await part.component.stop?.();
  };
  t.teardown(stop);
  /** The value of a metric by the start of its line. */
  const count = async (line: string): Promise<number> =>
    Number(
      (await metrics.text())
        .split('\n')
        .find((each) => each.startsWith(`${line} `) || each.startsWith(line))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  return { ...part, room, asked, count, stop, received: () => receivedBytes };
}

export interface PullingBoxOptions extends PullSetup {
  kind: EngineKind;
  disk?: Parameters<typeof testDisk>[1];
  path?: string;
}

/** An engine over an empty disk that gets what is missing. */
export async function startPullingBox(t: Test, options: PullingBoxOptions) {
  const path = options.path ?? (await temporaryDirectory(t));
  const { disk } = await testDisk(path, options.disk);
  t.teardown(() => disk.close());
  const pull = startPull(t, disk, options);
  const misses = createMisses({ link: pull.puller, held: disk, workers: 1 });
  const engine = await testEngine(t, { content: disk, misses, kind: options.kind });
  disk.onChange(({ file }) => {
    engine.engine.forget(file);
  });
  const viewer = (bundle: TestFile): string => testToken(engine.key, { bundle: bundle.file });
  return { ...engine, disk, path, pull, viewer };
}

/** A film of so many bytes with the bundle that it is in. */
export function filmOf(sizeBytes: number, seed: number): { film: TestFile; bundle: TestFile } {
  const film = testFile(seededBytes(sizeBytes, seed));
  return { film, bundle: testBundle([film]) };
}

/** Reads a GET's answer until the connection ends, and says how it ended. */
export function readToTheEnd(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; lengthBytes: number; body: Buffer; end: 'closed' | 'reset' }> {
  const lines = Object.entries({ host: 'box', connection: 'close', ...headers });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let end: 'closed' | 'reset' = 'closed';
    const socket = connect(port, '127.0.0.1', () => socket.write(`GET ${path} HTTP/1.1\r\n${head}\r\n`));
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.on('error', () => {
      end = 'reset';
    });
    socket.on('close', () => {
      const all = Buffer.concat(parts);
      const at = all.indexOf('\r\n\r\n');
      const answerHead = all.subarray(0, Math.max(0, at)).toString('latin1');
      resolve({
        status: Number(answerHead.split(' ')[1] ?? 0),
        lengthBytes: Number(/content-length: (\d+)/i.exec(answerHead)?.[1] ?? 0),
        body: at < 0 ? Buffer.alloc(0) : all.subarray(at + 4),
        end,
      });
    });
  });
}
