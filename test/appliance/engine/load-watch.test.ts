import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import t, { type Test } from 'tap';

import type { LoadJudgement } from '../../../appliance/core/judge-load.ts';
import { LineRate, type LineReading } from '../../../appliance/engine/line-rate.ts';
import { LoadMeter } from '../../../appliance/engine/load-meter.ts';
import { LoadWatch } from '../../../appliance/engine/load-watch.ts';
import { latencyBoundsUs } from '../../../appliance/engine/native-counters.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';

/** A watch over a serving that is what the test says, with time that the test makes. */
function watched() {
  const state = {
    nowMs: 0,
    reading: {
      connections: 0,
      liveRequests: 0,
      diskDelayMs: 0,
      loopDelayMs: 0,
      sentBytes: 0,
      ttfbCounts: new Array<number>(latencyBoundsUs.length + 1).fill(0),
    },
    line: undefined as LineReading | undefined,
    judged: undefined as LoadJudgement | undefined,
    told: 0,
  };
  const watch = new LoadWatch({
    serving: { readLoad: () => state.reading, shed: (judgement) => void (state.judged = judgement) },
    line: { read: () => Promise.resolve(state.line) },
    limits: { connectionsMax: 100, requestsMax: 100 },
    clock: {
      nowMs: () => 0,
      monotonicMs: () => state.nowMs,
      sleep: () => Promise.reject(new Error('not here')),
    },
    log: createSilentLog(),
    onLevel: () => {
      state.told++;
    },
  });
  const look = async (count: number, before: () => void = () => undefined): Promise<void> => {
    for (let i = 0; i < count; i++) {
      state.nowMs += 250;
      before();
      await watch.look();
    }
  };
  return { state, look };
}

void t.test('the line is judged by what the last second carried', async (test) => {
  const { state, look } = watched();
  const carry = (share: number) => () => {
    state.line = { sentBytes: (state.line?.sentBytes ?? 0) + share * 250_000, bytesPerSecond: 1_000_000 };
  };
  await look(8, carry(0.5));
  test.equal(state.judged?.level, 'normal');
  test.ok(Math.abs((state.judged?.headroom ?? 0) - (1 - 0.5 / 0.95)) < 0.01);
  await look(8, carry(0.97));
  test.equal(state.judged?.level, 'shed-new');
  test.strictSame([...(state.judged?.reasons ?? [])], ['BUSY_LINE']);
  test.equal(state.judged?.headroom, 0);
  await look(60, carry(0.5));
  test.equal(state.judged?.level, 'normal');
  // Into shed-fill on the way up or not: each change was told once.
  test.ok(state.told >= 3 && state.told <= 4, String(state.told));
  state.line = undefined;
  await look(8);
  test.equal(state.judged?.level, 'normal', 'a line that is not known is not judged');
});

void t.test('the first byte counts where there are answers enough, and their past does not', async (test) => {
  const { state, look } = watched();
  const answer = (count: number, us: number) => () => {
    const at = latencyBoundsUs.findIndex((bound) => us <= bound);
    state.reading.ttfbCounts = state.reading.ttfbCounts.map(
      (before, each) => before + (each === at ? count : 0),
    );
  };
  await look(8, answer(2, 900_000));
  test.equal(state.judged?.level, 'normal', 'eight answers a second are no load');
  await look(8, answer(100, 900_000));
  test.equal(state.judged?.level, 'shed-new');
  await look(24, answer(100, 900));
  test.equal(state.judged?.level, 'shed-fill');
  // A worker is gone, and what it had counted: neither a burst nor a negative one.
  state.reading.ttfbCounts = state.reading.ttfbCounts.map((count) => Math.floor(count / 2));
  await look(24, answer(100, 900));
  test.equal(state.judged?.level, 'normal');
});

void t.test('connections, requests, a disk and a loop', async (test) => {
  for (const [change, reason] of [
    [{ connections: 96 }, 'BUSY_CONNECTIONS'],
    [{ liveRequests: 96 }, 'BUSY_REQUESTS'],
    [{ diskDelayMs: 700 }, 'BUSY_DISK'],
    [{ loopDelayMs: 300 }, 'BUSY_CPU'],
  ] as const) {
    const { state, look } = watched();
    Object.assign(state.reading, change);
    await look(3);
    test.equal(state.judged?.level, 'shed-new');
    test.strictSame([...(state.judged?.reasons ?? [])], [reason]);
  }
});

void t.test(
  'a read that hangs counts for as long as it does, one that is done for half a second',
  async (test) => {
    const meter = new LoadMeter();
    let nowMs = 10_000;
    let end: (() => void) | undefined;
    const read = meter.timed(new Promise<void>((resolve) => (end = resolve)), () => nowMs);
    nowMs += 5000;
    test.equal(meter.longestMs(nowMs), 5000);
    end?.();
    await read;
    test.equal(meter.longestMs(nowMs + 200), 5000);
    test.equal(meter.longestMs(nowMs + 600), 0);
    await test.rejects(meter.timed(Promise.reject(new Error('disk')), () => nowMs));
    test.equal(meter.longestMs(nowMs + 2000), 0);
  },
);

async function machine(test: Test, files: Record<string, string>): Promise<string> {
  const root = await temporaryDirectory(test);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT';
const defaultBy = (name: string) =>
  `${head}\n${name}\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n${name}\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`;
const zeros = '0'.repeat(32);
const default6By = (name: string) =>
  `fe80${'0'.repeat(28)} 40 ${zeros} 00 ${zeros} 00000100 00000001 00000000 00000001     other\n` +
  `${zeros} 00 ${zeros} 00 fd${'0'.repeat(29)}1 00000400 00000003 00000000 00000003     ${name}\n` +
  `${zeros} 00 ${zeros} 00 ${zeros} ffffffff 00000001 00000000 00200200       lo\n`;
const interfaceFiles = (name: string, speed: string, sent: string) => ({
  [`sys/class/net/${name}/speed`]: speed,
  [`sys/class/net/${name}/statistics/tx_bytes`]: sent,
});

void t.test('the line is that of the default routes, or of the address that is listened on', async (test) => {
  const root = await machine(test, {
    'proc/net/route': defaultBy('eth0'),
    'proc/net/ipv6_route': default6By('eth1'),
    ...interfaceFiles('eth0', '10000\n', '1000\n'),
    ...interfaceFiles('eth1', '1000\n', '10\n'),
    ...interfaceFiles('eth2', '25000\n', '7\n'),
    ...interfaceFiles('other', '1\n', '1\n'),
  });
  const addresses = () =>
    new Map([
      ['192.0.2.7', 'eth2'],
      ['127.0.0.1', 'lo'],
    ]);
  const read = (host: string, mbitPerSecond?: number) =>
    new LineRate({ host, mbitPerSecond, root, addresses }).read();
  test.strictSame(await read('::'), { sentBytes: 1010, bytesPerSecond: 11_000 * 125_000 });
  test.strictSame(await read('192.0.2.7'), { sentBytes: 7, bytesPerSecond: 25_000 * 125_000 });
  test.strictSame(await read('0.0.0.0', 500), { sentBytes: 1010, bytesPerSecond: 500 * 125_000 });
  test.equal(await read('127.0.0.1'), undefined, 'nobody far away comes by the loopback');
});

void t.test('a line without a speed is not judged, unless somebody says it', async (test) => {
  for (const speed of ['-1\n', '', '0\n', 'fast\n']) {
    const root = await machine(test, {
      'proc/net/route': defaultBy('veth0'),
      ...interfaceFiles('veth0', speed, '5\n'),
    });
    const read = (mbitPerSecond?: number) => new LineRate({ host: '::', mbitPerSecond, root }).read();
    test.equal(await read(), undefined, JSON.stringify(speed));
    test.strictSame(await read(8), { sentBytes: 5, bytesPerSecond: 1_000_000 });
  }
  const bare = await machine(test, {});
  test.equal(await new LineRate({ host: '::', mbitPerSecond: 8, root: bare }).read(), undefined);
});
