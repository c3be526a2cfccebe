import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t from 'tap';

import type { ArtworkBundle, ArtworkKind } from '../../common/contract/artwork.ts';
import { pictureSizeBytesMax } from '../../common/core/picture.ts';
import { encodePicture } from '../../encoder/encode-picture.ts';
import { makeWorkDirectory, openTestFfmpeg } from './support/clips.ts';
import { chunk, cmykJpeg, emptyPng, makePicture, pixelsOf, withOrientation } from './support/pictures.ts';

interface Made {
  bundle: ArtworkBundle;
  sizes: string[];
  read(ext: string, width?: number): Promise<Buffer>;
}

const signal = new AbortController().signal;

/** Encodes a picture and gives what came out, by extension and width. */
async function encode(source: Uint8Array, kind: ArtworkKind = 'poster'): Promise<Made> {
  const workDirectory = await makeWorkDirectory();
  t.teardown(() => rm(workDirectory, { recursive: true, force: true }));
  await writeFile(join(workDirectory, 'source'), source);
  const ffmpeg = await openTestFfmpeg();
  const picture = { artwork: 'artwork_1', kind };
  const { bundle, files } = await encodePicture({
    ...{ workDirectory, sourceName: 'source', picture, ffmpeg, signal },
  });
  const read = async (ext: string, width = bundle.files.at(-1)?.width): Promise<Buffer> => {
    const listed = bundle.files.find((one) => one.ext === ext && one.width === width);
    const built = files.find(({ file }) => file === listed?.file);
    if (built?.content.kind !== 'path') throw new Error(`there is no ${ext} of ${width ?? ''}`);
    return readFile(built.content.path);
  };
  return { bundle, read, sizes: bundle.files.map(({ ext, width, height }) => `${width}x${height}.${ext}`) };
}

const near = (found: readonly number[], wanted: readonly number[], off = 12): boolean =>
  wanted.every((value, at) => Math.abs(value - (found[at] ?? -999)) <= off);

t.test('a poster in sizes and formats, each as large as it says, never larger than the source', async (t) => {
  const { bundle, sizes, read } = await encode(await makePicture('png'));
  const all = ['160x240', '320x480', '640x960', '1000x1500'];
  t.same(
    sizes,
    all.flatMap((size) => ['jpg', 'webp', 'avif'].map((ext) => `${size}.${ext}`)),
  );
  for (const { ext, width, height, sizeBytes } of bundle.files) {
    const bytes = await read(ext, width);
    t.equal(bytes.length, sizeBytes);
    t.match(await pixelsOf(bytes), { width, height }, `${ext} ${width}`);
  }
  t.same((await encode(await makePicture('jpg', { size: '300x200' }))).sizes, [
    ...['160x107.jpg', '160x107.webp', '160x107.avif', '300x200.jpg', '300x200.webp', '300x200.avif'],
  ]);
  t.same((await encode(await makePicture('jpg', { size: '170x100' }), 'still')).sizes[0], '170x100.jpg');
  const large = await encode(await makePicture('jpg', { size: '2560x1440' }), 'backdrop');
  t.same([large.sizes[0], large.sizes.at(-1)], ['160x90.jpg', '1920x1080.avif']);
});

t.test('the same picture gives the same files; another artwork of it another bundle', async (t) => {
  const source = await makePicture('webp', { size: '200x300' });
  const [one, two] = [await encode(source), await encode(source)];
  t.same(one.bundle, two.bundle);
});

t.test('what is seen through stays so in logos, and is laid on black elsewhere', async (t) => {
  const clear = ['-vf', 'format=rgba,colorchannelmixer=aa=0'];
  const source = await makePicture('png', { input: 'color=red', size: '64x64', args: clear });
  const logo = await encode(source, 'logo');
  t.same(logo.sizes, ['64x64.png', '64x64.webp']);
  for (const ext of ['png', 'webp'])
    t.equal((await pixelsOf(await logo.read(ext), { alpha: true })).at(9, 9)[3], 0, ext);
  const poster = await encode(source);
  t.ok(near((await pixelsOf(await poster.read('jpg'))).at(9, 9), [0, 0, 0]));
});

t.test('a picture stands upright however it is stored', async (t) => {
  // Red above blue, to be turned and mirrored back in each way.
  const upright = ['-vf', 'drawbox=y=32:h=32:c=blue:t=fill'];
  const stored: Record<number, string> = { 3: 'hflip,vflip', 6: 'transpose=2', 8: 'transpose=1' };
  for (const [orientation, filter] of Object.entries(stored)) {
    const args = ['-vf', `${upright[1] ?? ''},${filter}`];
    const jpeg = await makePicture('jpg', { input: 'color=red', size: '48x64', args });
    const made = await encode(withOrientation(jpeg, Number(orientation)));
    const pixels = await pixelsOf(await made.read('jpg'));
    t.match(pixels, { width: 48, height: 64 }, orientation);
    t.ok(near(pixels.at(24, 10), [254, 0, 0], 20), `${orientation}: red above`);
    t.ok(near(pixels.at(24, 54), [0, 0, 254], 20), `${orientation}: blue below`);
  }
});

t.test('four inks and sixteen bits become what everything shows', async (t) => {
  // Adobe's way round: full cyan, no magenta, half yellow, no black.
  const inks = await encode(cmykJpeg([0, 255, 128, 255]));
  t.ok(near((await pixelsOf(await inks.read('jpg'))).at(3, 3), [0, 255, 128], 16));
  const deep = await makePicture('png', {
    ...{ input: 'color=0x3060c0', size: '64x64', args: ['-pix_fmt', 'rgb48be'] },
  });
  t.ok(near((await pixelsOf(await (await encode(deep)).read('jpg'))).at(3, 3), [0x30, 0x60, 0xc0]));
  const grey = await makePicture('jpg', {
    input: 'color=0x808080',
    size: '64x64',
    args: ['-pix_fmt', 'gray'],
  });
  t.ok(near((await pixelsOf(await (await encode(grey)).read('jpg'))).at(3, 3), [128, 128, 128]));
});

t.test('nothing of the source but its picture goes on', async (t) => {
  const secret = 'GPS-52.5200,13.4050';
  const script = '<script>alert(1)</script>';
  const jpeg = await makePicture('jpg', { size: '64x64', args: ['-metadata', `comment=${secret}`] });
  const exif = withOrientation(jpeg, 1);
  const comment = Buffer.concat([Buffer.from([0xff, 0xfe, 0, secret.length + 2]), Buffer.from(secret)]);
  const polyglot = Buffer.concat([exif.subarray(0, 2), comment, exif.subarray(2), Buffer.from(script)]);
  const png = await makePicture('png', { size: '64x64' });
  const text = chunk('tEXt', Buffer.from(`Comment\0${secret}${script}`));
  const texts = Buffer.concat([png.subarray(0, 33), text, png.subarray(33), Buffer.from(script)]);
  for (const source of [polyglot, texts]) {
    const { bundle, read } = await encode(source);
    for (const { ext, width } of bundle.files) {
      const bytes = (await read(ext, width)).toString('latin1');
      t.notMatch(bytes, /GPS|script|Exif|Lavf|Lavc/, ext);
    }
  }
});

t.test('what is no picture, moves, is broken or too large is refused, and never tried again', async (t) => {
  const jpeg = await makePicture('jpg');
  const png = await makePicture('png', { size: '640x640' });
  const broken = Buffer.from(png);
  broken.fill(7, 300, 2300);
  const moving = ['-frames:v', '5'];
  const cases: Record<string, [Buffer, string, RegExp]> = {
    nothing: [Buffer.alloc(0), 'SOURCE_EMPTY', /0 bytes/],
    'a page called .jpg': [Buffer.from('<!doctype html><script>x</script>'), 'SOURCE_NOT_PICTURE', /page/],
    'a drawing with a script': [
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
      'SOURCE_NOT_PICTURE',
      /SVG/,
    ],
    'a GIF that moves': [
      await makePicture('gif', { size: '64x64', args: moving }),
      'SOURCE_NOT_PICTURE',
      /GIF/,
    ],
    'a PNG that moves': [
      await makePicture('apng', { size: '64x64', args: [...moving, '-f', 'apng'] }),
      'SOURCE_REFUSED',
      /moves/,
    ],
    'a WebP that moves': [
      await makePicture('webp', { size: '64x64', args: [...moving, '-c:v', 'libwebp_anim'] }),
      'SOURCE_REFUSED',
      /moves/,
    ],
    'half a JPEG': [jpeg.subarray(0, jpeg.length / 2), 'SOURCE_TRUNCATED', /copy it again/],
    'half a PNG': [png.subarray(0, png.length / 2), 'SOURCE_TRUNCATED', /copy it again/],
    'a PNG broken in the middle': [broken, 'SOURCE_NOT_PICTURE', /ffmpeg ended/],
    'a PNG of 30,000 × 30,000': [emptyPng(30_000, 30_000), 'SOURCE_REFUSED', /30000x30000; taken is/],
    'a PNG of 100 × 600,000': [emptyPng(100, 600_000), 'SOURCE_REFUSED', /100x600000; taken is sides of/],
    'a PNG without data': [emptyPng(64, 64), 'SOURCE_NOT_PICTURE', /ffmpeg ended/],
    'a picture of one pixel': [emptyPng(1, 1), 'SOURCE_REFUSED', /1x1/],
    'too many bytes': [Buffer.alloc(pictureSizeBytesMax + 1), 'SOURCE_REFUSED', /at most/],
    'a video': [Buffer.from('\0\0\0\x18ftypisom', 'latin1'), 'SOURCE_NOT_PICTURE', /video/],
  };
  for (const [name, [source, code, detail]] of Object.entries(cases))
    await t.rejects(encode(source), { code, detail }, name);
});
