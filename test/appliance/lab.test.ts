import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t from 'tap';

import { replayTrace } from '../../appliance/lab.ts';
import { policyNames } from '../../appliance/core/eviction/policy.ts';
import { temporaryDir } from '../control-plane/support/control-plane.ts';
import { nextAccesses, oracleGeneral, zipfTrace } from '../support/traces.ts';
import { naiveCaches } from './core/eviction/naive.ts';

const asked = { policies: [], signal: new AbortController().signal, onProgress: () => undefined };

t.test('the counts are those of the naive caches, in every format', async (t) => {
  const dir = await temporaryDir(t);
  const trace = [
    ...zipfTrace({
      seed: 5,
      requests: 6000,
      objects: 400,
      alpha: 0.9,
      oneHitShare: 0.2,
      sizeOf: (random) => 1 + Math.floor(random() * 30),
    }),
  ];
  const next = nextAccesses(trace);
  const expected = [300, 900].flatMap((capacityBytes) =>
    policyNames.map((policy) => {
      const cache = naiveCaches[policy](capacityBytes);
      const missed = trace.filter(({ id, sizeBytes }, number) => !cache(id, sizeBytes, next[number]!));
      return {
        policy,
        capacityBytes,
        misses: missed.length,
        missBytes: missed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      };
    }),
  );
  await writeFile(join(dir, 'trace.bin'), oracleGeneral(trace));
  await writeFile(
    join(dir, 'trace.csv'),
    trace.map(({ id, sizeBytes }, time) => `${time},${id},${sizeBytes}\n`).join(''),
  );
  for (const [name, format] of [
    ['trace.bin', 'oracle-general'],
    ['trace.csv', 'csv'],
  ] as const) {
    let progress = 0;
    const onProgress = (fraction: number): void => {
      t.ok(fraction >= progress);
      progress = fraction;
    };
    const report = await replayTrace({
      ...asked,
      trace: join(dir, name),
      format,
      sizes: ['300', '900B', '300'],
      onProgress,
    });
    t.match(report, {
      requests: trace.length,
      bytes: trace.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      skippedLines: 0,
    });
    t.strictSame(
      report.results.map(({ policy, capacityBytes, misses, missBytes }) => ({
        policy,
        capacityBytes,
        misses,
        missBytes,
      })),
      expected,
    );
    for (const { misses, missRatio, missBytes, byteMissRatio } of report.results) {
      t.equal(missRatio, misses / report.requests);
      t.equal(byteMissRatio, missBytes / report.bytes);
    }
    t.equal(progress, 1);
  }
});

t.test('what cannot be replayed is refused with what to write instead', async (t) => {
  const dir = await temporaryDir(t);
  const trace = join(dir, 'trace.csv');
  await writeFile(trace, '0,1,1\n');
  await writeFile(join(dir, 'empty'), '');
  await writeFile(join(dir, 'no.log'), 'a log of something else\n{"msg":"ready"}\n');
  const request = { ...asked, trace, format: 'csv', sizes: ['1MiB'] };
  const cases: [object, string, RegExp][] = [
    [
      { policies: ['lru', 'lfu'] },
      'INVALID',
      /--policy is not "lfu" but one of lru, fifo, clock, sieve, s3fifo, arc, gdsf, belady/,
    ],
    [{ format: 'txt' }, 'INVALID', /--format is not "txt" but one of oracle-general, csv, access-log/],
    [{ sizes: [] }, 'INVALID', /--size names no size/],
    [{ sizes: ['128MiB', '0'] }, 'INVALID', /--size "0" is no size above 0; write for instance 128MiB,1GiB/],
    [{ sizes: ['-5MiB'] }, 'INVALID', /--size/],
    [{ sizes: ['much'] }, 'INVALID', /"much"/],
    [{ sizes: ['99999999TiB'] }, 'INVALID', /--size/],
    [
      { sizes: Array.from({ length: 40 }, (_, index) => String(index + 1)) },
      'INVALID',
      /more than 256 pairs/,
    ],
    [{ trace: join(dir, 'empty') }, 'TRACE_INVALID', /empty holds no request of the format csv/],
    [
      { trace: join(dir, 'no.log'), format: 'access-log' },
      'TRACE_INVALID',
      /holds no request of the format access-log/,
    ],
  ];
  for (const [change, code, message] of cases) {
    await t.rejects(replayTrace({ ...request, ...change }), { code, message });
  }
  t.match(await replayTrace({ ...request, policies: ['LRU'] }), {
    requests: 1,
    results: [{ policy: 'lru', misses: 1 }],
  });
});
