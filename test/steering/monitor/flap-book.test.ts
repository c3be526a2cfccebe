import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { calm, flapPolicyDefault, noteLoss, penaltyMax } from '../../../steering/core/flap.ts';
import { FlapBook } from '../../../steering/monitor/flap-book.ts';
import type { Aim } from '../../../steering/monitor/http-probe.ts';

const policy = flapPolicyDefault;
const aim: Aim = { id: 'box', url: 'http://box.test', family: 4, address: '192.0.2.1' };

async function pathIn(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'flaps-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'flaps.json');
}

async function openBook(path: string, startMs: number): Promise<FlapBook> {
  const clock = createManualClock({ nowMs: startMs });
  const book = new FlapBook({ path, policy, clock, log: createSilentLog() });
  await book.load();
  return book;
}

t.test('the next process holds a box down for what is left of its penalty', async (t) => {
  const path = await pathIn(t);
  const first = await openBook(path, 1_000_000);
  t.strictSame(first.recall(aim), calm);
  const flapping = [0, 1, 2].reduce((state) => noteLoss(state, 0, policy), calm);
  first.note(aim, flapping);
  first.note({ ...aim, id: 'other' }, noteLoss(calm, 0, policy));
  await first.settled();
  t.equal((await stat(path)).mode & 0o777, 0o600);

  const soon = await openBook(path, 1_060_000);
  t.match(soon.recall(aim), { penalty: 3000, atMs: -60_000, suppressed: true });
  t.match(soon.recall({ ...aim, id: 'other' }), { penalty: 1000, suppressed: false });
  t.strictSame(soon.recall({ ...aim, address: '192.0.2.2' }), calm, 'who has moved is another');
  t.strictSame(soon.recall({ ...aim, family: 6 }), calm);
  t.notOk((await openBook(path, 1_130_000)).recall(aim).suppressed, 'two minutes are over');
  t.ok((await openBook(path, 0)).recall(aim).suppressed, 'a clock that was set back makes nothing older');
});

t.test('what has faded is forgotten', async (t) => {
  const path = await pathIn(t);
  const first = await openBook(path, 0);
  first.note(aim, noteLoss(calm, 0, policy));
  await first.settled();
  const later = await openBook(path, 3_600_000);
  later.note({ ...aim, id: 'other' }, noteLoss(calm, 0, policy));
  await later.settled();
  const text = await readFile(path, 'utf8');
  t.match(text, /other/);
  t.notMatch(text, /"box /);
});

t.test('a file that is damaged, or of somebody else, holds nobody down for ever', async (t) => {
  const path = await pathIn(t);
  const way = 'box 4 192.0.2.1 http://box.test';
  for (const text of ['', '{', '[]', '{"atMs":0,"ways":[{"way":1}]}', '{"atMs":0,"ways":[{}]}']) {
    await writeFile(path, text, { mode: 0o600 });
    t.strictSame((await openBook(path, 0)).recall(aim), calm, text);
  }
  const ways = [{ way, penalty: 1e300, suppressed: true }];
  await writeFile(path, JSON.stringify({ atMs: 9e15, ways }));
  t.match((await openBook(path, 0)).recall(aim), { penalty: penaltyMax(policy), suppressed: true });
});
