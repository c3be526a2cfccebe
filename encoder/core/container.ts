import { ok, refused, type Result } from '../../common/core/result.ts';

/** ffmpeg's demuxers that a source may be read with. None of them opens another file. */
export type Demuxer = 'mov' | 'matroska' | 'mpegts' | 'mpeg' | 'avi' | 'flv' | 'ogg' | 'asf' | 'mxf';

/** How many bytes from the start of a source `sniffContainer` looks at. */
export const sniffLengthBytes = 1024;

// ISO/IEC 14496-12 and QuickTime: the types that a file's first box may have.
const firstBoxes = new Set(['ftyp', 'styp', 'moov', 'moof', 'mdat', 'sidx', 'free', 'skip', 'wide', 'pnot']);
const asfGuid = Buffer.from('3026b2758e66cf11a6d900aa0062ce6c', 'hex');
const mxfKey = Buffer.from('060e2b34020501010d0102', 'hex');

/**
 * Chooses the demuxer by a source's first bytes, never by its name. ffmpeg is then told to use that one and no other, so
 * that a playlist (HLS, DASH, concat) that calls itself a video is never opened as what it is: those read other files.
 *
 * @returns SOURCE_EMPTY, SOURCE_REFUSED for a playlist, SOURCE_NOT_VIDEO for anything else that is not known.
 */
export function sniffContainer(head: Uint8Array): Result<Demuxer> {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, sniffLengthBytes));
  if (bytes.length === 0) return refused('SOURCE_EMPTY', 'the file has a size of 0 bytes');
  const demuxer = demuxerOf(bytes);
  if (demuxer !== undefined) return ok(demuxer);
  const playlist = playlistOf(bytes);
  if (playlist !== undefined) {
    return refused(
      'SOURCE_REFUSED',
      `it is ${playlist}, which names other files; give the video file itself`,
    );
  }
  return refused(
    'SOURCE_NOT_VIDEO',
    'its first bytes are those of no known container (MP4, MOV, MKV, WebM, MPEG-TS, MPEG-PS, AVI, FLV, OGG, ASF, MXF)',
  );
}

function demuxerOf(bytes: Buffer): Demuxer | undefined {
  if (firstBoxes.has(ascii(bytes, 4, 8))) return 'mov';
  if (bytes.length >= 4 && bytes.readUInt32BE(0) === 0x1a45dfa3) return 'matroska';
  if (isTransportStream(bytes)) return 'mpegts';
  if (bytes.length >= 4 && bytes.readUInt32BE(0) === 0x000001ba) return 'mpeg';
  if (ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 12) === 'AVI ') return 'avi';
  if (ascii(bytes, 0, 3) === 'FLV' && bytes[3] === 1) return 'flv';
  if (ascii(bytes, 0, 4) === 'OggS') return 'ogg';
  if (bytes.subarray(0, asfGuid.length).equals(asfGuid)) return 'asf';
  if (bytes.subarray(0, mxfKey.length).equals(mxfKey)) return 'mxf';
  return undefined;
}

/** ISO/IEC 13818-1: the sync byte 0x47 every 188 bytes; every 192, after four of time, on discs. */
function isTransportStream(bytes: Buffer): boolean {
  const inStep = (first: number, step: number): boolean =>
    [0, 1, 2].every((index) => bytes[first + index * step] === 0x47);
  return inStep(0, 188) || inStep(4, 192);
}

function playlistOf(bytes: Buffer): string | undefined {
  const text = bytes
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trimStart();
  if (text.startsWith('#EXTM3U')) return 'an HLS playlist';
  if (text.startsWith('ffconcat')) return 'a concat script';
  if (/<(?:MPD|SmoothStreamingMedia)[\s>]/.test(text)) return 'a streaming manifest';
  return undefined;
}

function ascii(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start, end);
}
