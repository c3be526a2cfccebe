import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';

import t from 'tap';

import { createPolicy } from '../../../appliance/core/eviction/policy.ts';
import type { OnRequest } from '../../../appliance/lab/trace-reader.ts';
import { readTrace, type TraceFormat } from '../../../appliance/lab/trace-file.ts';
import { formatAccessLine } from '../../../appliance/records/access-record.ts';
import { chunkSizeBytes } from '../../../common/core/chunk-tree.ts';
import { temporaryDir } from '../../control-plane/support/control-plane.ts';
import { nextAccesses, oracleGeneral, zipfTrace } from '../../support/traces.ts';

type Request = Parameters<OnRequest>;

async function read(path: string, format: TraceFormat) {
  const requests: Request[] = [];
  let progress = 0;
  const skippedLines = await readTrace(
    { path, format },
    {
      onRequest: (...request) => requests.push(request),
      onProgress: (fraction) => (progress = fraction),
      signal: new AbortController().signal,
    },
  );
  return { requests, skippedLines, progress };
}

const trace = [
  ...zipfTrace({
    seed: 3,
    requests: 100_000,
    objects: 9000,
    alpha: 1,
    sizeOf: (random) => 1 + Math.floor(random() * 1e6),
  }),
];

t.test('oracleGeneral: whole records wherever the pieces end, compressed or not', async (t) => {
  const dir = await temporaryDir(t);
  const bytes = oracleGeneral(trace);
  const next = nextAccesses(trace);
  const expected = trace.map(({ id, sizeBytes }, number): Request => [id, sizeBytes, next[number]!]);
  for (const [name, content] of [
    ['a.bin', bytes],
    ['a.bin.zst', zstdCompressSync(bytes)],
    ['a.bin.gz', gzipSync(bytes)],
  ] as const) {
    await writeFile(join(dir, name), content);
    const { requests, progress } = await read(join(dir, name), 'oracle-general');
    t.strictSame(requests, expected, name);
    t.equal(progress, 1);
  }
});

t.test('oracleGeneral: ids of 64 bits stay apart; the largest int64 is for never too', async (t) => {
  const path = join(await temporaryDir(t), 'a.bin');
  // Small ones, the first that no double holds, hashes, and those whose bits are the double of 1, of 0, of -0, and no number.
  const ids = [0n, 1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 0x9e3779b97f4a7c15n, 0x1e3779b97f4a7c15n];
  ids.push(
    0x3ff0000000000000n,
    0xbff0000000000000n,
    2n ** 63n,
    0x7ff8000000000000n,
    0x7ff8000000000001n,
    2n ** 64n - 1n,
  );
  const bytes = oracleGeneral(ids.map((_, id) => ({ id, sizeBytes: 7 })));
  ids.forEach((id, number) => bytes.writeBigUInt64LE(id, 24 * number + 4));
  bytes.writeBigInt64LE(2n ** 63n - 1n, 16);
  bytes.writeBigInt64LE(2n ** 40n, 24 + 16);
  await writeFile(path, Buffer.concat([bytes, bytes]));
  const { requests } = await read(path, 'oracle-general');
  t.strictSame(
    requests.slice(0, 3).map(([, , next]) => next),
    [Infinity, 2 ** 40, Infinity],
  );
  for (const name of ['lru', 's3fifo'] as const) {
    const policy = createPolicy(name, 1e6);
    const hits = requests.map(([id, sizeBytes]) => policy.request({ id, sizeBytes }));
    t.strictSame(hits, [...ids.map(() => false), ...ids.map(() => true)], name);
  }
});

t.test('csv: with a header or without, any ids, any line ends', async (t) => {
  const path = join(await temporaryDir(t), 'a.csv');
  const expected: Request[] = [
    ['film', 5],
    [7, 6],
    ['07', 6],
    ['12345678901234567890', 1],
  ];
  for (const text of [
    'time,id,size\n0,film,5\n1,7,6\n1.5,07,6\n2,12345678901234567890,1\n',
    'Time, ID, Size\r\n0, film, 5\r\n\r\n1,7,6\r\n1,07,6\r\n2,12345678901234567890,1',
    '0,film,5\n1,7,6\n1,07,6\n2,12345678901234567890,1\n\n',
  ]) {
    await writeFile(path, text);
    t.strictSame((await read(path, 'csv')).requests, expected);
  }
});

t.test('access log: the chunks that a range touches, as far as it was sent', async (t) => {
  const path = join(await temporaryDir(t), 'access.log');
  const file = 'a1'.repeat(32);
  const line = (record: object): string =>
    formatAccessLine(
      {
        timeMs: 0,
        file: { file, ext: 'mp4' },
        status: 206,
        sentBytes: 0,
        durationMs: 1,
        ttfbMs: 1,
        address: undefined,
        isHead: false,
        isCut: false,
        ...record,
      },
      { client: undefined, cmcd: undefined },
    );
  const MiB = chunkSizeBytes;
  const lines = [
    line({ range: [0, 99], sentBytes: 100 }),
    line({ range: [MiB - 1, 2 * MiB], sentBytes: MiB + 2 }),
    // The viewer left after a byte, after the first chunk, and before any.
    line({ range: [5 * MiB, 9 * MiB - 1], sentBytes: 1, isCut: true }),
    line({ range: [5 * MiB, 9 * MiB - 1], sentBytes: MiB, isCut: true }),
    line({ range: [5 * MiB, 9 * MiB - 1], sentBytes: 0, isCut: true }),
    line({ range: [0, 500], sentBytes: 501, file: { file, ext: 'chunks' } }),
    line({ status: 404 }),
    line({ status: 200, file: undefined }),
    '{"time":"2026-11-21T09:58:55.007Z","fi\n',
    '\n',
  ];
  await writeFile(path, lines.join(''));
  const { requests, skippedLines } = await read(path, 'access-log');
  t.strictSame(
    requests,
    [0, 0, 1, 2, 5, 5].map((chunk) => [`${file}/${chunk}`, MiB]),
  );
  t.equal(skippedLines, 1);
});

t.test('what is wrong is said with its place and what to do', async (t) => {
  const dir = await temporaryDir(t);
  const good = oracleGeneral(trace.slice(0, 4));
  const zero = Buffer.from(good);
  zero.writeUInt32LE(0, 24 + 12);
  const past = Buffer.from(good);
  past.writeBigInt64LE(-2n, 48 + 16);
  await mkdir(join(dir, 'folder'));
  const cases: [string, string | Buffer | undefined, TraceFormat, string, RegExp][] = [
    [
      'cut.bin',
      good.subarray(0, 90),
      'oracle-general',
      'TRACE_INVALID',
      /cut\.bin: record 4 \(byte 72\) has 18 of its 24 bytes/,
    ],
    ['zero.bin', zero, 'oracle-general', 'TRACE_INVALID', /record 2 \(byte 24\) has size 0; leave/],
    [
      'past.bin',
      past,
      'oracle-general',
      'TRACE_INVALID',
      /record 3 \(byte 48\) has an impossible next access/,
    ],
    ['text.bin', 'time,id,size\n'.repeat(20), 'oracle-general', 'TRACE_INVALID', /no oracleGeneral trace/],
    ['zst.bin', zstdCompressSync(oracleGeneral(trace)), 'oracle-general', 'TRACE_INVALID', /\.zst or \.gz/],
    ['plain.zst', good, 'oracle-general', 'TRACE_INVALID', /plain\.zst does not decompress/],
    ['plain.gz', good, 'oracle-general', 'TRACE_INVALID', /plain\.gz does not decompress/],
    [
      'cut.zst',
      zstdCompressSync(oracleGeneral(trace)).subarray(0, 5000),
      'oracle-general',
      'TRACE_INVALID',
      /it was cut/,
    ],
    [
      'cut.gz',
      gzipSync(oracleGeneral(trace)).subarray(0, 5000),
      'oracle-general',
      'TRACE_INVALID',
      /it was cut/,
    ],
    [
      'other.csv',
      'id,size,time\n1,2,3\n',
      'csv',
      'TRACE_INVALID',
      /line 1 is not time,id,size: "id,size,time"/,
    ],
    ['short.csv', '1,2,3\n1,2\n', 'csv', 'TRACE_INVALID', /line 2 is not/],
    ['long.csv', '1,2,3,4\n', 'csv', 'TRACE_INVALID', /line 1 is not/],
    ['zero.csv', '1,2,3\n1,2,0\n', 'csv', 'TRACE_INVALID', /line 2 has size "0"; a size is a whole number/],
    ['minus.csv', '1,2,-3\n', 'csv', 'TRACE_INVALID', /has size "-3"/],
    ['bytes.csv', Buffer.alloc(3_000_000, 'x'), 'csv', 'TRACE_INVALID', /line 1 does not end/],
    ['missing', undefined, 'csv', 'PATH_UNREADABLE', /missing \(ENOENT\)/],
    ['folder', undefined, 'csv', 'PATH_UNREADABLE', /folder is not a file/],
  ];
  for (const [name, content, format, code, message] of cases) {
    if (content !== undefined) await writeFile(join(dir, name), content);
    await t.rejects(read(join(dir, name), format), { code, message }, name);
  }
});

t.test('a replay that is called off ends', async (t) => {
  const path = join(await temporaryDir(t), 'a.bin');
  await writeFile(path, oracleGeneral(trace));
  const off = new AbortController();
  const reading = readTrace(
    { path, format: 'oracle-general' },
    { onRequest: () => off.abort(), onProgress: () => undefined, signal: off.signal },
  );
  await t.rejects(reading, { name: 'AbortError' });
});
