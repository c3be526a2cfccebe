import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import t from 'tap';

import { scoreRatings } from '../../../control-plane/lab.ts';
import { readRatings } from '../../../control-plane/lab/ratings-file.ts';
import { seededRandom } from '../../support/seeded.ts';
import { temporaryDir } from '../support/control-plane.ts';

const { signal } = new AbortController();
const onProgress = (): void => undefined;

async function read(dir: string, name: string, content: string | Buffer) {
  const path = join(dir, name);
  await writeFile(path, content);
  const { ratings, tornLines, firstTorn } = await readRatings(path, { signal, onProgress });
  const { count, users, items, userOf, itemOf, ratingOf, repeated } = ratings;
  const entries = [...userOf].map((user, at) => [user, itemOf[at], ratingOf[at]]);
  return { count, users, items, entries, repeated, tornLines, firstTorn };
}

t.test('ratings are read however their fields stand', async (t) => {
  const dir = await temporaryDir(t);
  const wanted = {
    ...{ count: 3, users: 2, items: 2, repeated: 0, tornLines: 0, firstTorn: [] },
    entries: [
      [0, 0, 5],
      [0, 1, 3],
      [1, 0, 4],
    ],
  };
  const lines = [
    ['196', '242', '5', '881250949'],
    ['196', '302', '3', '891717742'],
    ['22', '242', '4', '878887116'],
  ];
  const joined = (separator: string): string => lines.map((line) => line.join(separator)).join('\n');
  const header = 'userId,movieId,rating,timestamp\n';
  const turned = lines.map(([user, item, rating, time]) => [time, rating, item, user].join('\t')).join('\n');
  for (const [name, content] of [
    ['u.data', joined('\t')],
    ['ratings.dat', joined('::')],
    ['spaces', joined('  ')],
    ['ratings.csv', header + joined(',').replaceAll('\n', '\r\n') + '\r\n\r\n'],
    ['ml.inter', `user_id:token\titem_id:token\trating:float\ttimestamp:float\n${joined('\t')}`],
    ['turned.tsv', `time\trating\titem\tuser\n${turned}`],
    ['u.data.gz', gzipSync(joined('\t'))],
  ] as const)
    t.strictSame(await read(dir, name, content), wanted, name);
});

t.test('repeated ratings, gaps and torn lines', async (t) => {
  const dir = await temporaryDir(t);
  const good = Array.from({ length: 40 }, (_, user) => `u${user},a,4,1`);
  const found = await read(
    dir,
    'gaps.csv',
    [
      ...['x,b,1,20', 'x,b,5,30', 'x,b,2,10', 'x,c,,', 'y,c', ',c,1,1', 'y,,1,1', 'y,d,good,1', 'y,d,1,soon'],
      ...good,
    ].join('\n'),
  );
  t.match(found, {
    ...{ count: 43, repeated: 2, tornLines: 4 },
    firstTorn: [
      { line: 6, reason: 'names no user' },
      { line: 7, reason: 'names no item' },
      { line: 8, reason: 'has rating "good"' },
      { line: 9, reason: 'has time "soon"' },
    ],
  });
  t.strictSame(found.entries.slice(0, 3), [
    [0, 0, 5],
    [0, 1, NaN],
    [1, 1, NaN],
  ]);
});

t.test('what is no file of ratings is refused with what is wrong', async (t) => {
  const dir = await temporaryDir(t);
  for (const [content, message] of [
    ['', /holds no rating/],
    ['user,item,rating\n', /holds no rating/],
    ['<html>\n<p>no\n', /2 of 2 lines are no ratings, the first is line 1: names no item/],
    ['x'.repeat(100_000), /does not end/],
  ] as const)
    await t.rejects(read(dir, 'bad', content), { code: 'RATINGS_INVALID', message });
  await t.rejects(readRatings(join(dir, 'none'), { signal, onProgress }), { code: 'PATH_UNREADABLE' });
});

t.test('a file is scored by each protocol, and in the same way again', async (t) => {
  const dir = await temporaryDir(t);
  const random = seededRandom(2);
  const lines = Array.from({ length: 3000 }, (_, at) => {
    const user = at % 120;
    const item = 3 * Math.floor(20 * random() ** 2) + (user % 3);
    return `${user} ${item} ${1 + Math.floor(5 * random())} ${at}`;
  });
  const ratings = join(dir, 'ratings');
  await writeFile(ratings, lines.join('\n'));
  const ask = { ratings, seed: 5, signal, onProgress };
  for (const protocol of ['recbole', 'stratified']) {
    const { trainSeconds, ...report } = await scoreRatings({ ...ask, protocol });
    t.ok(trainSeconds > 0);
    t.match(report, { protocol, users: 120, repeated: 3000 - report.ratings });
    const of = (name: string): number => report.results.find(({ model }) => model === name)?.ndcg10 ?? NaN;
    t.ok(of('blend') > 1.3 * of('popularity'), `${of('blend')} against ${of('popularity')}`);
    const { trainSeconds: _again, ...second } = await scoreRatings({ ...ask, protocol });
    t.strictSame(second, report);
  }
  await t.rejects(scoreRatings({ ...ask, protocol: 'best' }), {
    code: 'INVALID',
    message: /recbole, stratified/,
  });
  await writeFile(ratings, 'a x\nb y\n');
  await t.rejects(scoreRatings({ ...ask, protocol: 'recbole' }), {
    code: 'RATINGS_INVALID',
    message: /no user has enough ratings/,
  });
});

t.test('work is left when it is told to stop', async (t) => {
  const dir = await temporaryDir(t);
  const ratings = join(dir, 'ratings');
  const random = seededRandom(2);
  const lines = Array.from({ length: 20_000 }, (_, at) => `${at % 400} ${Math.floor(900 * random())}`);
  await writeFile(ratings, lines.join('\n'));
  const stop = new AbortController();
  const work = scoreRatings({
    ...{ ratings, protocol: 'recbole', seed: 1, signal: stop.signal },
    onProgress(_, what) {
      if (what === 'training') stop.abort();
    },
  });
  await t.rejects(work, { code: 'ABORTED' });
});
