import { chmod, chown, copyFile, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { encodeSource } from '../../encoder/encode.ts';
import { openFfmpeg } from '../../encoder/ffmpeg.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import {
  makeClip,
  makeWorkDirectory,
  openTestFfmpeg,
  picture,
  quick,
  testUser,
  tone,
  withEncoded,
} from './support/clips.ts';

const directory = t.testdir();
const at = (name: string): string => join(directory, name);
const encode = (source: string): Promise<unknown> => withEncoded(source, async () => undefined);

const film = await makeClip(at('film.mp4'), [...picture({ seconds: 4 }), ...tone(4), ...quick]);
const fast = await makeClip(at('fast.mp4'), ['-i', film, '-c', 'copy', '-movflags', '+faststart']);

await t.test('what is no video', async (t) => {
  const cases: Record<string, { bytes: Buffer | string; code: string }> = {
    'zero.mp4': { bytes: '', code: 'SOURCE_EMPTY' },
    'random.mp4': { bytes: Buffer.alloc(100_000, 'nothing in particular'), code: 'SOURCE_NOT_VIDEO' },
    'text.mkv': { bytes: 'Once upon a time\n', code: 'SOURCE_NOT_VIDEO' },
    'one-byte.mp4': { bytes: 'x', code: 'SOURCE_NOT_VIDEO' },
    'only-ftyp.mp4': { bytes: (await readFile(film)).subarray(0, 32), code: 'SOURCE_TRUNCATED' },
    'hollow.mkv': {
      bytes: Buffer.concat([Buffer.from('1a45dfa3', 'hex'), Buffer.alloc(5000)]),
      code: 'SOURCE_NOT_VIDEO',
    },
    'picture.png': {
      bytes: Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
      code: 'SOURCE_NOT_VIDEO',
    },
  };
  for (const [name, { bytes, code }] of Object.entries(cases)) {
    await writeFile(at(name), bytes);
    await t.rejects(encode(at(name)), { code }, name);
  }
});

await t.test('sound without a picture', async (t) => {
  await t.rejects(encode(await makeClip(at('song.m4a'), tone(1))), { code: 'SOURCE_NO_VIDEO' });
});

await t.test('a recording that was cut off before its moov', async (t) => {
  await writeFile(at('no-moov.mp4'), (await readFile(film)).subarray(0, 9000));
  await t.rejects(encode(at('no-moov.mp4')), { code: 'SOURCE_TRUNCATED', detail: /copy it again|cut off/ });
});

await t.test('a download that ends in mid-mdat', async (t) => {
  const bytes = await readFile(fast);
  await writeFile(at('half.mp4'), bytes.subarray(0, bytes.length / 2));
  await t.rejects(encode(at('half.mp4')), { code: 'SOURCE_TRUNCATED' });
});

await t.test('Matroska that ends early', async (t) => {
  const whole = await makeClip(at('whole.mkv'), [...picture({ seconds: 8 }), ...quick]);
  const bytes = await readFile(whole);
  await writeFile(at('half.mkv'), bytes.subarray(0, bytes.length / 2));
  await t.rejects(encode(at('half.mkv')), { code: 'SOURCE_TRUNCATED' });
});

await t.test('an MP4 whose frames are garbage', async (t) => {
  const bytes = await readFile(fast);
  const mdat = bytes.indexOf('mdat') + 4;
  bytes.fill(0xa5, mdat);
  await writeFile(at('garbage.mp4'), bytes);
  await t.rejects(encode(at('garbage.mp4')), {
    code: /^(?:SOURCE_NOT_VIDEO|SOURCE_TRUNCATED|ENCODE_FAILED)$/,
  });
});

await t.test('a picture too small to be one', async (t) => {
  const dot = await makeClip(at('dot.mkv'), [...picture({ size: '8x8', seconds: 1 }), '-c:v', 'ffv1']);
  await t.rejects(encode(dot), { code: 'SOURCE_REFUSED' });
});

await t.test('a playlist disguised as MP4 reads nothing', async (t) => {
  const hits: string[] = [];
  const server = createServer((request, response) => {
    hits.push(request.url ?? '');
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const secret = at('secret.mp4');
  await writeFile(secret, await readFile(film));
  const references = [`http://127.0.0.1:${port}/hit.ts`, 'file:///etc/hostname', `file://${secret}`, secret];
  const hls = (uri: string): string =>
    `#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n${uri}\n#EXT-X-ENDLIST\n`;
  const bait = references.flatMap((uri) => [
    hls(uri),
    `\ufeff${hls(uri)}`,
    `ffconcat version 1.0\nfile '${uri}'\n`,
    `<?xml version="1.0"?><MPD type="static"><Period><BaseURL>${uri}</BaseURL></Period></MPD>`,
  ]);
  for (const text of bait) {
    await writeFile(at('bait.mp4'), text);
    await t.rejects(encode(at('bait.mp4')), { code: 'SOURCE_REFUSED' });
    // With a box in front that gets it past the sniffing, it is still read as MP4 and nothing else.
    const ftyp = Buffer.from('00000018667479706d703432000000006d70343269736f6d', 'hex');
    await writeFile(at('bait.mp4'), Buffer.concat([ftyp, Buffer.from(text)]));
    await t.rejects(encode(at('bait.mp4')), { code: 'SOURCE_TRUNCATED' });
  }
  t.same(hits, [], 'nothing was asked of the network');
});

await t.test('a demuxer forced on a playlist opens nothing', async (t) => {
  // Even where the sniffing is left out: the protocol whitelist and the chosen demuxer hold.
  let hits = 0;
  const server = createServer((_request, response) => {
    hits++;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  await writeFile(at('list.mp4'), `#EXTM3U\n#EXTINF:4,\nhttp://127.0.0.1:${port}/x.ts\n#EXT-X-ENDLIST\n`);
  const work = await makeWorkDirectory(at('list.mp4'), directory);
  const ffmpeg = await openTestFfmpeg();
  const { signal } = new AbortController();
  const input = { workDirectory: work, name: 'source', demuxer: 'mov' } as const;
  await t.rejects(ffmpeg.probe(input, { signal }));
  t.equal(hits, 0);
});

await t.test('ffmpeg that is not installed', async (t) => {
  const options = {
    path: at('empty'),
    user: testUser,
    threads: 1,
    addressSpaceBytesMax: 2 ** 32,
    encodeTimeoutMs: 1000,
    clock: createSystemClock(),
  };
  await t.rejects(openFfmpeg(options), { code: 'FFMPEG_MISSING', detail: /apt-get install -y ffmpeg/ });
});

await t.test('a disk that fills up during the encode', async (t) => {
  const disk = await mountSmallDisk(2 * 1024 * 1024);
  if (typeof disk === 'string') {
    t.comment(disk);
    return;
  }
  t.teardown(() => disk.unmount());
  const noise = await makeClip(at('noise.mp4'), [
    ...['-f', 'lavfi', '-i', 'nullsrc=s=320x180:r=25:d=6,geq=random(1)*255:128:128', ...quick, '-crf', '51'],
  ]);
  await copyFile(noise, join(disk.path, 'source'));
  await chmod(join(disk.path, 'source'), 0o644);
  if (testUser !== undefined) await chown(disk.path, testUser.uid, testUser.gid);
  await disk.fill(64 * 1024);
  const request = {
    workDirectory: disk.path,
    sourceName: 'source',
    ffmpeg: await openTestFfmpeg(),
    signal: new AbortController().signal,
  };
  await t.rejects(encodeSource(request), { code: 'DISK_FULL' });
});
