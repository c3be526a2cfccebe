import { fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { ServedReports } from '../../../appliance/uplink/served-reports.ts';
import { documentTypes, type DocumentPayload } from '../../../common/contract/documents.ts';
import { servedReportAudience, ServedReport } from '../../../common/contract/served.ts';
import { createSeededChance } from '../../../common/runtime/chance.ts';
import { createSystemClock, type Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { exportPrivateKey, generateKey } from '../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { openDocument } from '../../../common/runtime/signed-documents.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';
import { mountSmallDisk } from '../../support/small-disk.ts';

const key = generateKey();
const film = 'a'.repeat(64);
const system = createSystemClock();
/** Its time runs a hundred times as fast, but for what is signed. */
const fast: Clock = {
  nowMs: () => system.nowMs(),
  monotonicMs: () => system.monotonicMs() * 100,
  sleep: (ms, options) => system.sleep(ms / 100, options),
};

type Report = DocumentPayload<ServedReport>;

function opened(jws: string): Promise<Report> {
  const find = { typ: documentTypes.servedReport, schema: ServedReport, audience: servedReportAudience };
  const findKey = (kid: string) => (kid === key.kid ? key.publicKey : undefined);
  return openDocument(jws, { ...find, sequenceMin: 1, nowMs: Date.now(), findKey });
}

/** Takes reports as the control plane does: each sequence once. */
class Receiver {
  readonly taken = new Map<number, Report>();
  attempts = 0;
  state: 'here' | 'away' | 'mute' | 'refuses' = 'here';

  readonly send = async (jws: string): Promise<{ outcome: 'taken' | 'known'; sequence: number }> => {
    this.attempts++;
    if (this.state === 'away') throw coded('CONTROL_UNREACHABLE');
    if (this.state === 'refuses') throw coded('INVALID');
    const report = await opened(jws);
    const outcome = this.taken.has(report.sequence) ? 'known' : 'taken';
    if (outcome === 'taken') this.taken.set(report.sequence, report);
    if (this.state === 'mute') throw coded('CONTROL_UNREACHABLE', 'the answer is lost');
    return { outcome, sequence: Math.max(...this.taken.keys()) };
  };

  bytes(which: 'playBytes' | 'fillBytes' | 'pictureBytes' = 'playBytes', file = film): number {
    const files = [...this.taken.values()].flatMap(({ body }) => body.files);
    return files.filter((each) => each.file === file).reduce((sum, each) => sum + (each[which] ?? 0), 0);
  }

  get sequences(): number[] {
    return [...this.taken.keys()];
  }
}

async function start(test: Test, path: string, receiver: Receiver) {
  const parts = { clock: fast, chance: createSeededChance(1), log: createSilentLog() };
  const reports = new ServedReports({ path, key, send: receiver.send, ...parts });
  await reports.open();
  const end = new AbortController();
  const done = reports.run(end.signal);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopped ??= (async () => {
      end.abort();
      await done;
      await reports.close();
    })());
  test.teardown(stop);
  return { reports, stop };
}

async function until(isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + 8000;
  while (!isSo() && performance.now() < endMs) await system.sleep(5);
}

void t.test('what was served arrives signed, each byte once, over restarts too', async (test) => {
  const path = join(await temporaryDirectory(test), 'served-reports');
  const receiver = new Receiver();
  const first = await start(test, path, receiver);
  first.reports.add(film, 'play', 100);
  first.reports.add(film, 'fill', 7);
  first.reports.filled(50);
  await until(() => receiver.bytes() === 100);
  const [report] = receiver.taken.values();
  test.match(report, { sequence: 1, audience: 'control-plane', body: { filledBytes: 50 } });
  test.equal(receiver.bytes('fillBytes'), 7);
  first.reports.add(film, 'play', 20);
  await until(() => receiver.bytes() === 120);
  first.reports.add(film, 'play', 3);
  await first.stop();

  const second = await start(test, path, receiver);
  await until(() => receiver.bytes() === 123);
  second.reports.add(film, 'play', 1000);
  await until(() => receiver.bytes() === 1123);
  test.same(receiver.sequences, [1, 2, 3, 4], 'sequences go on and have no gap');
  await second.stop();
  test.same(await readdir(path), ['000000000004.taken']);
});

void t.test('pictures are bytes to viewers, and told as what they are', async (test) => {
  const path = join(await temporaryDirectory(test), 'served-reports');
  const receiver = new Receiver();
  const { reports, stop } = await start(test, path, receiver);
  reports.add(film, 'play', 100);
  reports.add(film, 'picture', 30);
  reports.add('b'.repeat(64), 'picture', 5);
  reports.add('c'.repeat(64), 'play', 7);
  await until(() => receiver.bytes('playBytes', 'c'.repeat(64)) === 7);
  const [report] = receiver.taken.values();
  test.same(report?.body.files, [
    { file: film, playBytes: 130, fillBytes: 0, pictureBytes: 30 },
    { file: 'b'.repeat(64), playBytes: 5, fillBytes: 0, pictureBytes: 5 },
    { file: 'c'.repeat(64), playBytes: 7, fillBytes: 0 },
  ]);
  await stop();
});

void t.test('what a version of before has left on the disk is told', async (test) => {
  const path = join(await temporaryDirectory(test), 'served-reports');
  const receiver = new Receiver();
  receiver.state = 'away';
  const first = await start(test, path, receiver);
  first.reports.add(film, 'picture', 1);
  await first.stop();
  const [name = ''] = (await readdir(path)).filter((each) => each.endsWith('.jsonl'));
  const files = [[film, 40, 2]];
  await appendFile(
    join(path, name),
    `${JSON.stringify({ sinceMs: 1000, untilMs: 2000, filledBytes: 3, files })}\n`,
  );
  receiver.state = 'here';
  await start(test, path, receiver);
  await until(() => receiver.bytes() === 41);
  const [report] = receiver.taken.values();
  test.same(report?.body.files, [{ file: film, playBytes: 41, fillBytes: 2, pictureBytes: 1 }]);
});

void t.test('the control plane may be away, or lose its answers', async (test) => {
  const path = join(await temporaryDirectory(test), 'served-reports');
  const receiver = new Receiver();
  receiver.state = 'away';
  const { reports } = await start(test, path, receiver);
  for (let index = 0; index < 50; index++) {
    reports.add(film, 'play', 1);
    await system.sleep(10);
  }
  test.equal(receiver.bytes(), 0);
  receiver.state = 'mute';
  await until(() => receiver.bytes() > 0);
  const { attempts } = receiver;
  await until(() => receiver.attempts > attempts + 1);
  receiver.state = 'here';
  await until(() => receiver.bytes() === 50);
  reports.add(film, 'play', 1);
  await until(() => receiver.bytes() === 51);
  test.equal(receiver.bytes(), 51, 'what was taken already did not count again');
});

void t.test('killed at any moment: nothing that was kept is lost, nothing counts twice', async (test) => {
  const path = join(await temporaryDirectory(test), 'served-reports');
  const receiver = new Receiver();
  const server = createServer((request, response) => {
    void (async () => {
      const parts: Buffer[] = [];
      for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
      response.end(JSON.stringify(await receiver.send(Buffer.concat(parts).toString())));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  test.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const script = join(import.meta.dirname, 'serve-and-die.ts');
  let kept = 0;
  let begun = 0;
  for (const lifeMs of [150, 400, 2200, 700]) {
    const child = fork(script, [path, exportPrivateKey(key), url]);
    child.on('message', () => kept++);
    await once(child, 'message');
    await system.sleep(lifeMs);
    child.kill('SIGKILL');
    await once(child, 'close');
    begun++;
  }
  const last = await start(test, path, receiver);
  await until(() => receiver.bytes() >= kept);
  await last.stop();
  // At each death one more may have been on the disk before its word of it came through.
  test.ok(receiver.bytes() >= kept && receiver.bytes() <= kept + begun, `${receiver.bytes()} of ${kept}`);
  test.equal(receiver.bytes('fillBytes', 'b'.repeat(64)), receiver.bytes());
  const { sequences } = receiver;
  test.same(
    sequences,
    sequences.map((_, index) => index + 1),
    'no gap',
  );
});

void t.test('a torn line, a broken file, a disk that was set back', async (test) => {
  const path = join(await temporaryDirectory(test), 'served-reports');
  const receiver = new Receiver();
  receiver.state = 'away';
  const first = await start(test, path, receiver);
  first.reports.add(film, 'play', 5);
  await first.stop();
  const [name = ''] = await readdir(path);
  await appendFile(join(path, name), '{"sinceMs":1,"untilMs":2,"filledBytes":0,"files":[["aaa');
  await writeFile(join(path, '000000000002.jsonl'), '\0\0\0');
  receiver.state = 'here';
  const second = await start(test, path, receiver);
  await until(() => receiver.taken.size === 2);
  test.equal(receiver.bytes(), 5);
  await second.stop();

  // The control plane has seen up to 40 of a box whose disk now says 2.
  const seen = await opened(await lastJws());
  receiver.taken.set(40, { ...seen, sequence: 40, body: { ...seen.body, files: [] } });
  const third = await start(test, path, receiver);
  third.reports.add(film, 'play', 10);
  await until(() => receiver.sequences.includes(3));
  third.reports.add(film, 'play', 20);
  await until(() => receiver.sequences.includes(41));
  test.same(receiver.sequences, [1, 2, 40, 3, 41]);

  function lastJws(): Promise<string> {
    let held = '';
    const parts = { clock: fast, chance: createSeededChance(2), log: createSilentLog() };
    const send = (jws: string) => {
      held = jws;
      return Promise.resolve({ outcome: 'taken' as const, sequence: 1 });
    };
    return (async () => {
      const other = new ServedReports({ path: `${path}-other`, key, send, ...parts });
      await other.open();
      other.add(film, 'play', 1);
      const end = new AbortController();
      const done = other.run(end.signal);
      await until(() => held !== '');
      end.abort();
      await done;
      await other.close();
      return held;
    })();
  }
});

void t.test('a report that is refused for what it says does not stop those behind it', async (test) => {
  const path = join(await temporaryDirectory(test), 'served-reports');
  const receiver = new Receiver();
  receiver.state = 'refuses';
  const { reports } = await start(test, path, receiver);
  reports.add(film, 'play', 5);
  await until(() => receiver.attempts === 1);
  receiver.state = 'here';
  reports.add(film, 'play', 6);
  await until(() => receiver.bytes() === 6);
  test.same(receiver.sequences, [2], 'the gap tells of it');
  test.equal(reports.dropped, 1);
});

void t.test(
  'a full disk keeps what was served in memory until there is room, and counts it once',
  async (test) => {
    const disk = await mountSmallDisk(256 * 1024);
    if (typeof disk === 'string') {
      test.pass(disk, { skip: disk });
      return;
    }
    const receiver = new Receiver();
    receiver.state = 'away';
    const { reports, stop } = await start(test, join(disk.path, 'served-reports'), receiver);
    reports.add(film, 'play', 1);
    await reports.keep();
    await disk.fill();
    reports.add(film, 'picture', 9);
    let told = 10;
    for (let index = 0; index < 1500; index++) {
      reports.add(index.toString(16).padStart(64, '0'), 'play', 1);
      reports.add(film, 'play', 1);
      told++;
    }
    await system.sleep(50);
    await writeFile(join(disk.path, 'filler'), '');
    receiver.state = 'here';
    await until(() => receiver.bytes() === told);
    test.equal(receiver.bytes(), told);
    test.equal(receiver.bytes('pictureBytes'), 9);
    test.same(
      receiver.sequences,
      receiver.sequences.map((_, index) => index + 1),
    );
    await stop();
    test.ok((await readFile(join(disk.path, 'filler'))).length === 0);
    await disk.unmount();
  },
);
