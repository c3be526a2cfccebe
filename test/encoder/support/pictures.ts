import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A picture of colour bars as ffmpeg makes it, of this extension's format. */
export async function makePicture(
  ext: string,
  { size = '1000x1500', input = 'testsrc2', args = [] as readonly string[] } = {},
): Promise<Buffer> {
  return withFile(ext, async (path) => {
    const source = ['-f', 'lavfi', '-i', `${input}${input.includes('=') ? ':' : '='}s=${size}`];
    await execute('ffmpeg', ['-v', 'error', '-y', ...source, '-frames:v', '1', ...args, path]);
    return readFile(path);
  });
}

/** A picture's pixels as ffmpeg decodes them, three bytes each (four with `alpha`), and its size. */
export async function pixelsOf(
  bytes: Uint8Array,
  { alpha = false } = {},
): Promise<{ width: number; height: number; at(x: number, y: number): number[] }> {
  return withFile('picture', async (path) => {
    await writeFile(path, bytes);
    const probe = ['-v', 'error', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', path];
    const [width = 0, height = 0] = (await execute('ffprobe', probe)).stdout.trim().split(',').map(Number);
    const raw = ['-f', 'rawvideo', '-pix_fmt', alpha ? 'rgba' : 'rgb24', '-'];
    const options = { encoding: 'buffer', maxBuffer: 2 ** 28 } as const;
    const { stdout } = await execute('ffmpeg', ['-v', 'error', '-i', path, ...raw], options);
    const step = alpha ? 4 : 3;
    return { width, height, at: (x, y) => [...stdout.subarray((y * width + x) * step).subarray(0, step)] };
  });
}

async function withFile<T>(ext: string, use: (path: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-picture-'));
  try {
    return await use(join(directory, `picture.${ext}`));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A JPEG that says by EXIF how it is to be turned, as telephones write it. */
export function withOrientation(jpeg: Buffer, orientation: number): Buffer {
  const tiff = Buffer.from('4d4d002a00000008000101120003000000010000000000000000', 'hex');
  tiff.writeUInt16BE(orientation, 18);
  const data = Buffer.concat([Buffer.from('Exif\0\0'), tiff]);
  return Buffer.concat([jpeg.subarray(0, 2), segment(0xe1, data), jpeg.subarray(2)]);
}

/** A PNG of a header, of any size, with no data in it: what announces more than it has. */
export function emptyPng(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('IEND')]);
}

/** A chunk of a PNG; its checksum is left out where nobody looks at it. */
export function chunk(type: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(data.length, 0);
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, data, Buffer.alloc(4)]);
}

/** A JPEG of 16 × 16 in one colour of four inks, as Adobe writes them: turned round, so that 255 is none of it. */
export function cmykJpeg(inks: readonly [number, number, number, number]): Buffer {
  const table = Buffer.concat([Buffer.from([0]), Buffer.alloc(64, 8)]);
  const components = [1, 2, 3, 4].flatMap((id) => [id, 0x11, 0]);
  // Lengths 1 to 16: one code of each category 0 to 11, four bits long; of the others only the end of a block.
  const dc = [0x00, 0, 0, 0, 12, ...Array<number>(12).fill(0), ...Array.from({ length: 12 }, (_, at) => at)];
  const ac = [0x10, 1, ...Array<number>(15).fill(0), 0];
  let bits = '';
  for (let block = 0; block < 4; block++)
    for (const ink of inks) bits += block === 0 ? dcBits(ink - 128) : '0000' + '0';
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1');
  const scan = (bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2));
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xee, Buffer.from('Adobe\0\x64\0\0\0\0\0', 'latin1')),
    segment(0xdb, table),
    segment(0xc0, Buffer.from([8, 0, 16, 0, 16, 4, ...components])),
    segment(0xc4, Buffer.from(dc)),
    segment(0xc4, Buffer.from(ac)),
    segment(0xda, Buffer.from([4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0])),
    Buffer.from(scan.flatMap((byte) => (byte === 0xff ? [byte, 0] : [byte]))),
    Buffer.from([0xff, 0xd9]),
  ]);
}

/** The first difference of a flat block, whose sum is eight times its level and is divided by eight; then the block's end. */
function dcBits(level: number): string {
  if (level === 0) return '00000';
  const category = Math.floor(Math.log2(Math.abs(level))) + 1;
  const value = level > 0 ? level : level + 2 ** category - 1;
  return category.toString(2).padStart(4, '0') + value.toString(2).padStart(category, '0') + '0';
}

function segment(marker: number, data: Buffer): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(data.length + 2, 2);
  return Buffer.concat([head, data]);
}
