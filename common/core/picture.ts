import { readOrientation, type Orientation } from './exif-orientation.ts';
import { ok, refused, type Result } from './result.ts';

/** What is taken of a picture before anything decodes it. */
export interface Picture {
  readonly format: 'jpeg' | 'png' | 'webp';
  /** As stored, before it is turned. */
  readonly width: number;
  readonly height: number;
  readonly orientation: Orientation;
  /** The picture alone: no profiles, no texts, no previews, nothing that follows it. */
  readonly clean: () => Buffer;
}

/** A picture file is refused above this length. */
export const pictureSizeBytesMax = 32 * 1024 * 1024;
/** A picture of more pixels is refused: each takes up to eight bytes when it is decoded. */
export const picturePixelsMax = 64 * 2 ** 20;
const sideMin = 16;
/** What a JPEG can be; decoders end at sides of some hundred thousand, with words that help nobody. */
const sideMax = 65_535;
/** Segments or chunks: the largest picture that is taken has so many of half a kilobyte. More would take many times the memory of the file. */
const piecesMax = 65_536;

/** The form of a picture file: which of its bytes are the picture, as [start, end). */
interface Form {
  readonly width: number;
  readonly height: number;
  readonly orientation?: Orientation | undefined;
  readonly parts: readonly (readonly [number, number])[];
  /** Puts right what the parts that were left out were counted in. */
  readonly mend?: (clean: Buffer) => void;
}

/**
 * Reads the form of a picture by its bytes, never its name, without decoding it: kind, size, how it is to be turned. Everything else
 * in it is left out, so that no decoder meets what a page or a decompressor might run into.
 *
 * @returns SOURCE_EMPTY, SOURCE_NOT_PICTURE, SOURCE_TRUNCATED, SOURCE_REFUSED (moving, too large, a kind that is not taken)
 */
export function readPicture(bytes: Uint8Array): Result<Picture> {
  if (bytes.length === 0) return refused('SOURCE_EMPTY', 'the file has a size of 0 bytes');
  if (bytes.length > pictureSizeBytesMax)
    return refused(
      'SOURCE_REFUSED',
      `it has ${bytes.length} bytes; at most ${pictureSizeBytesMax} are taken`,
    );
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const format = formatOf(whole);
  if (format === undefined) return refused('SOURCE_NOT_PICTURE', wordsFor(whole));
  const read = readers[format](whole);
  if (!read.ok) return read;
  const { width, height, orientation = 1, parts, mend } = read.value;
  const isTooLong = Math.max(width, height) > sideMax;
  if (Math.min(width, height) < sideMin || isTooLong || width * height > picturePixelsMax) {
    const range = `sides of ${sideMin} to ${sideMax} pixels, ${picturePixelsMax / 2 ** 20} megapixels in all`;
    return refused('SOURCE_REFUSED', `it is ${width}x${height}; taken is ${range}`);
  }
  const clean = (): Buffer => {
    const made = Buffer.concat(parts.map(([start, end]) => whole.subarray(start, end)));
    mend?.(made);
    return made;
  };
  return ok({ format, width, height, orientation, clean });
}

const pngSignature = '\x89PNG\r\n\x1a\n';

function formatOf(bytes: Buffer): Picture['format'] | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg';
  if (bytes.toString('latin1', 0, 8) === pngSignature) return 'png';
  if (bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP') return 'webp';
  return undefined;
}

function wordsFor(bytes: Buffer): string {
  const head = bytes.toString('latin1', 0, 512);
  const save = 'save it as JPEG, PNG or WebP';
  if (head.startsWith('GIF8')) return `it is a GIF; ${save}`;
  if (/^....ftyp/s.test(head)) return `it is an AVIF or HEIC picture, or a video; ${save}`;
  if (/<svg[\s>]/i.test(head)) return `it is an SVG drawing, which may hold scripts; ${save}`;
  if (/^\s*<(?:!doctype|html|\?xml)/i.test(head)) return `it is a page, not a picture; ${save}`;
  return `its first bytes are those of no JPEG, PNG or WebP picture; ${save}`;
}

const truncated = (): Result<never> =>
  refused('SOURCE_TRUNCATED', 'the picture ends before its end; copy it again');

const tooManyPieces = (): Result<never> =>
  refused('SOURCE_REFUSED', `it is in more than ${piecesMax} pieces; save it anew`);

const readers = { jpeg: readJpeg, png: readPng, webp: readWebp } as const;

const exifName = 'Exif\0\0';

/** ITU-T T.81 §B: markers, each but the first and last with a length; scans end at the next marker that is no restart. */
function readJpeg(bytes: Buffer): Result<Form> {
  const parts: [number, number][] = [[0, 2]];
  let size: { width: number; height: number } | undefined;
  let orientation: Orientation | undefined;
  for (let at = 2, pieces = 0; ; pieces++) {
    if (pieces >= piecesMax) return tooManyPieces();
    // Any number of 0xff may stand before a marker.
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++;
    const marker = bytes[at + 1];
    if (marker === undefined) return truncated();
    if (bytes[at] !== 0xff || marker === 0) return refused('SOURCE_NOT_PICTURE', 'it is no readable JPEG');
    if (marker === 0xd9) {
      parts.push([at, at + 2]);
      return size === undefined ? truncated() : ok({ ...size, orientation, parts });
    }
    if (isAlone(marker)) {
      at += 2;
      continue;
    }
    if (at + 4 > bytes.length) return truncated();
    const lengthBytes = bytes.readUInt16BE(at + 2);
    const end = at + 2 + lengthBytes;
    if (lengthBytes < 2) return refused('SOURCE_NOT_PICTURE', 'it is no readable JPEG');
    if (end > bytes.length) return truncated();
    if (isFrame(marker)) {
      const frame = readFrame(bytes, { at, end, marker, isFirst: size === undefined });
      if (!frame.ok) return frame;
      size = frame.value;
    }
    if (marker === 0xe1 && bytes.toString('latin1', at + 4, at + 10) === exifName)
      orientation ??= readOrientation(bytes.subarray(at + 10, end));
    const next = marker === 0xda ? scanEnd(bytes, end) : end;
    if (isJpegPart(marker)) parts.push([at, next]);
    at = next;
  }
}

/** Markers without a length: TEM and restarts, which say nothing where no scan is. */
function isAlone(marker: number): boolean {
  return marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);
}

/** What is decoded: all but the applications' own and comments; Adobe's says which colours they are. */
function isJpegPart(marker: number): boolean {
  return (marker < 0xe0 || marker === 0xe0 || marker === 0xee) && marker !== 0xfe;
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function readFrame(
  bytes: Buffer,
  { at, end, marker, isFirst }: { at: number; end: number; marker: number; isFirst: boolean },
): Result<{ width: number; height: number }> {
  if (end - at < 10) return truncated();
  const [precision] = bytes.subarray(at + 4);
  if (marker > 0xc2 || precision !== 8 || !isFirst)
    return refused('SOURCE_REFUSED', 'it is a JPEG of a kind that is seldom made; save it as a common one');
  return ok({ height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) });
}

/** Where the next marker begins behind a scan's bytes. */
function scanEnd(bytes: Buffer, start: number): number {
  for (let at = bytes.indexOf(0xff, start); at !== -1; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1] ?? 0;
    const isData = next === 0 || next === 0xff || (next >= 0xd0 && next <= 0xd7);
    if (!isData) return at;
  }
  return bytes.length;
}

const pngParts: ReadonlySet<string> = new Set(['IHDR', 'PLTE', 'tRNS', 'gAMA', 'IDAT', 'IEND']);

/** RFC 2083 §3: chunks of a length, a type, that many bytes and a checksum. */
function readPng(bytes: Buffer): Result<Form> {
  const parts: [number, number][] = [[0, pngSignature.length]];
  let size: { width: number; height: number } | undefined;
  let orientation: Orientation | undefined;
  for (let at = pngSignature.length, pieces = 0; ; pieces++) {
    if (pieces >= piecesMax) return tooManyPieces();
    if (at + 12 > bytes.length) return truncated();
    const end = at + 12 + bytes.readUInt32BE(at);
    if (end > bytes.length) return truncated();
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (type === 'IHDR' && size === undefined && end - at === 25)
      size = { width: bytes.readUInt32BE(at + 8), height: bytes.readUInt32BE(at + 12) };
    else if (type === 'IHDR' || size === undefined)
      return refused('SOURCE_NOT_PICTURE', 'it is no readable PNG');
    if (type === 'acTL') return moving();
    if (type === 'eXIf') orientation ??= readOrientation(bytes.subarray(at + 8, end - 4));
    if (pngParts.has(type)) parts.push([at, end]);
    if (type === 'IEND') return ok({ ...size, orientation, parts });
    at = end;
  }
}

function moving(): Result<never> {
  return refused('SOURCE_REFUSED', 'it moves; give a picture that stands still');
}

const webpParts: ReadonlySet<string> = new Set(['VP8 ', 'VP8L', 'VP8X', 'ALPH']);
const alphaFlag = 0x10;
const animationFlag = 0x02;

/** RFC 9649 §2: RIFF chunks of a type and a length, padded to even bytes. */
function readWebp(bytes: Buffer): Result<Form> {
  if (bytes.length < 30) return truncated();
  const fileEnd = bytes.readUInt32LE(4) + 8;
  if (fileEnd > bytes.length) return truncated();
  const parts: [number, number][] = [[0, 12]];
  let [width, height, hasFrame] = [0, 0, false];
  let orientation: Orientation | undefined;
  for (let at = 12, pieces = 0; at + 8 <= fileEnd; pieces++) {
    if (pieces >= piecesMax) return tooManyPieces();
    const type = bytes.toString('latin1', at, at + 4);
    const lengthBytes = bytes.readUInt32LE(at + 4);
    const end = at + 8 + lengthBytes + (lengthBytes % 2);
    if (end > fileEnd) return truncated();
    const data = bytes.subarray(at + 8, at + 8 + lengthBytes);
    if (type === 'ANIM' || type === 'ANMF') return moving();
    if (type === 'VP8X' && ((data[0] ?? 0) & animationFlag) !== 0) return moving();
    const size = webpSize(type, data);
    // The canvas and the picture on it: what counts is the larger.
    if (size !== undefined) [width, height] = [Math.max(width, size.width), Math.max(height, size.height)];
    if (size !== undefined && type !== 'VP8X') {
      if (hasFrame) return refused('SOURCE_REFUSED', 'there are two pictures in it');
      hasFrame = true;
    }
    if (type === 'EXIF') orientation ??= readOrientation(withoutName(data));
    if (webpParts.has(type)) parts.push([at, end]);
    at = end;
  }
  if (!hasFrame) return refused('SOURCE_NOT_PICTURE', 'it is no readable WebP');
  return ok({ width, height, orientation, parts, mend: mendWebp });
}

function mendWebp(clean: Buffer): void {
  clean.writeUInt32LE(clean.length - 8, 4);
  if (clean.toString('latin1', 12, 16) === 'VP8X') clean[20] = (clean[20] ?? 0) & alphaFlag;
}

function withoutName(data: Buffer): Buffer {
  return data.toString('latin1', 0, 6) === exifName ? data.subarray(6) : data;
}

function webpSize(type: string, data: Buffer): { width: number; height: number } | undefined {
  if (data.length < 10) return undefined;
  if (type === 'VP8X') return { width: data.readUIntLE(4, 3) + 1, height: data.readUIntLE(7, 3) + 1 };
  // RFC 6386 §9.1: a start code, then twice fourteen bits and two of scaling.
  if (type === 'VP8 ' && data.readUIntLE(3, 3) === 0x2a019d)
    return { width: data.readUInt16LE(6) & 0x3fff, height: data.readUInt16LE(8) & 0x3fff };
  if (type === 'VP8L' && data[0] === 0x2f) {
    const bits = data.readUInt32LE(1);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  return undefined;
}
