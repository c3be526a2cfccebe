import type { FileHandle } from 'node:fs/promises';
import type { AllRegisteredBoxes, ISOFile } from 'mp4box';
import { coded } from '../../common/runtime/errors.ts';
import { boxHeaderLengthBytesMax, readBoxHeader, type Box } from '../core/mp4-boxes.ts';
import { openOutput } from './output-file.ts';

/** Where the bytes of a single-file fragmented MP4 are. Offsets and lengths in bytes, durations in ticks. */
export interface Mp4Index {
  sizeBytes: number;
  /** ftyp and moov; the sidx that follows belongs to no range. */
  initLengthBytes: number;
  timescale: number;
  codecs: string;
  segments: Mp4Segment[];
}

export interface Mp4Segment {
  offsetBytes: number;
  lengthBytes: number;
  durationTicks: number;
  /** Decode time of its first sample. */
  startTicks: number;
  samples: number;
  /** Whether its first sample can be decoded without those before. */
  startsWithKeyFrame: boolean;
  /** From the segment's start to the end of its first sample. */
  firstSampleEndBytes: number;
  /** Presentation time of the sample that is shown first. */
  presentationStartTicks: number;
}

// A moov or moof beyond this is not one of ours.
const boxSizeBytesMax = 64 * 1024 * 1024;
const segmentsMax = 65_535;

/**
 * Reads the index of a fragmented MP4 with one track, by its boxes' headers: media data is not read. Every fragment
 * (moof and mdat) is a segment.
 *
 * @throws ENCODE_FAILED when the file is not of that form, or its flat sidx disagrees with its fragments
 */
export async function indexMp4(path: string): Promise<Mp4Index> {
  // Loaded with the first job: an idle encoder is to be small.
  const { createFile, MP4BoxBuffer: Buffers } = await import('mp4box');
  const { handle, sizeBytes } = await openOutput(path);
  try {
    const iso = createFile(false);
    iso.discardMdatData = true;
    const mdats = await feedBoxes(handle, { path, sizeBytes }, (bytes, offset) => {
      iso.appendBuffer(Buffers.fromArrayBuffer(new Uint8Array(bytes).buffer, offset));
    });
    iso.flush();
    return readIndex(iso, { path, sizeBytes, mdats });
  } finally {
    await handle.close();
  }
}

/** Feeds all boxes but the contents of mdat; returns the mdat boxes. */
async function feedBoxes(
  handle: FileHandle,
  { path, sizeBytes }: { path: string; sizeBytes: number },
  feed: (bytes: Buffer, offset: number) => void,
): Promise<Box[]> {
  const mdats: Box[] = [];
  let offset = 0;
  while (offset < sizeBytes) {
    const box = readBoxHeader(await readBytes(handle, offset, boxHeaderLengthBytesMax), offset);
    if (box === undefined || offset + box.sizeBytes > sizeBytes)
      throw broken(path, `no box at byte ${offset}`);
    if (box.type === 'mdat') mdats.push(box);
    const wanted = box.type === 'mdat' ? box.headerLengthBytes : box.sizeBytes;
    if (wanted > boxSizeBytesMax) throw broken(path, `a ${box.type} box of ${wanted} bytes`);
    feed(await readBytes(handle, offset, wanted), offset);
    offset += box.sizeBytes;
  }
  return mdats;
}

async function readBytes(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

function readIndex(iso: ISOFile, file: { path: string; sizeBytes: number; mdats: readonly Box[] }): Mp4Index {
  // Typed as always there, which it is not.
  if ((iso.moov as ISOFile['moov'] | undefined) === undefined) throw broken(file.path, 'it has no moov box');
  const [track, ...others] = iso.getInfo().tracks;
  if (track === undefined || others.length > 0) throw broken(file.path, 'it does not have exactly one track');
  const [defaults] = iso.moov.mvex?.trexs ?? [];
  const segments = iso.moofs.map((moof, index) => {
    const mdat = file.mdats[index];
    const [traf, ...more] = moof.trafs;
    const start = moof.start ?? -1;
    if (
      mdat === undefined ||
      traf === undefined ||
      more.length > 0 ||
      mdat.offsetBytes !== start + moof.size
    ) {
      throw broken(file.path, `fragment ${index} is not one moof of one track with its mdat`);
    }
    return readSegment({ traf, defaults, offsetBytes: start, endBytes: mdat.offsetBytes + mdat.sizeBytes });
  });
  const moovEnd = (iso.moov.start ?? 0) + iso.moov.size;
  checkSidx(iso, segments, file.path);
  checkOrder(segments, file.path);
  return {
    sizeBytes: file.sizeBytes,
    initLengthBytes: moovEnd,
    timescale: track.timescale,
    codecs: codecsOf(iso, track.codec),
    segments,
  };
}

/**
 * The codec as RFC 6381 writes it. Of AV1 in other colours than BT.709 all of it, since players take what is left out for BT.709 (AV1 in
 * ISOBMFF §5).
 */
function codecsOf(iso: ISOFile, codec: string): string {
  const boxes = iso.moov.traks[0]?.mdia.minf.stbl.stsd.entries[0]?.boxes ?? [];
  const av1C = boxes.find((box) => box.type === 'av1C') as AllRegisteredBoxes['av1C'] | undefined;
  const colr = boxes.find((box) => box.type === 'colr') as AllRegisteredBoxes['colr'] | undefined;
  if (av1C === undefined || colr?.colour_type !== 'nclx' || colr.colour_primaries === 1) return codec;
  const { chroma_subsampling_x: x, chroma_subsampling_y: y, chroma_sample_position: position } = av1C;
  const colours = [colr.colour_primaries, colr.transfer_characteristics, colr.matrix_coefficients];
  const points = colours.map((point) => String(point).padStart(2, '0'));
  const sampling = `${x}${y}${x === 1 && y === 1 ? position : 0}`;
  return [codec, av1C.monochrome, sampling, ...points, colr.full_range_flag].join('.');
}

type Moof = ISOFile['moofs'][number];
type Traf = Moof['trafs'][number];
type Trex = NonNullable<ISOFile['moov']['mvex']>['trexs'][number];

/** ISO/IEC 14496-12 §8.8: durations, sizes and flags of samples, each from trun, else tfhd, else trex. */
function readSegment(part: {
  traf: Traf;
  defaults: Trex | undefined;
  offsetBytes: number;
  endBytes: number;
}): Mp4Segment {
  const { traf } = part;
  const defaults = defaultsOf(traf, part.defaults);
  const startTicks = traf.tfdt.baseMediaDecodeTime;
  let durationTicks = 0;
  let samples = 0;
  let presentationStartTicks = Infinity;
  for (const trun of traf.truns) {
    for (let index = 0; index < trun.sample_count; index++) {
      const shift = trun.sample_composition_time_offset[index] ?? 0;
      presentationStartTicks = Math.min(presentationStartTicks, startTicks + durationTicks + shift);
      durationTicks += trun.sample_duration[index] ?? defaults.durationTicks;
    }
    samples += trun.sample_count;
  }
  const [first] = traf.truns;
  const firstFlags = first === undefined ? 0 : firstFlagsOf(first, defaults.flags);
  return {
    offsetBytes: part.offsetBytes,
    lengthBytes: part.endBytes - part.offsetBytes,
    durationTicks,
    startTicks,
    samples,
    // §8.8.3.1: bit 16 is sample_is_non_sync_sample.
    startsWithKeyFrame: (firstFlags & 0x1_0000) === 0,
    firstSampleEndBytes: (first?.data_offset ?? 0) + (first?.sample_size[0] ?? defaults.sizeBytes),
    presentationStartTicks,
  };
}

// Which of a tfhd's fields are there (§8.8.7.1), and that a trun has the first sample's flags (§8.8.8.1).
const hasDuration = 0x08;
const hasSize = 0x10;
const hasFlags = 0x20;
const hasFirstFlags = 0x04;

function defaultsOf({ tfhd }: Traf, trex: Trex | undefined) {
  const choose = (bit: number, own: number, inherited: number | undefined): number =>
    (tfhd.flags & bit) === 0 ? (inherited ?? 0) : own;
  return {
    durationTicks: choose(hasDuration, tfhd.default_sample_duration, trex?.default_sample_duration),
    sizeBytes: choose(hasSize, tfhd.default_sample_size, trex?.default_sample_size),
    flags: choose(hasFlags, tfhd.default_sample_flags, trex?.default_sample_flags),
  };
}

function firstFlagsOf(trun: Traf['truns'][number], defaultFlags: number): number {
  if ((trun.flags & hasFirstFlags) !== 0) return trun.first_sample_flags;
  return trun.sample_flags[0] ?? defaultFlags;
}

function checkSidx(iso: ISOFile, segments: readonly Mp4Segment[], path: string): void {
  const sidx = iso.sidx as ISOFile['sidx'] | undefined;
  const references = sidx?.references ?? [];
  // The count in a sidx has 16 bits: a longer film would wrap around unnoticed.
  if (segments.length === 0 || segments.length > segmentsMax) {
    throw broken(path, `it has ${segments.length} fragments; possible are 1 to ${segmentsMax}`);
  }
  const agrees =
    references.length === segments.length &&
    segments.every((segment, index) => references[index]?.referenced_size === segment.lengthBytes);
  if (!agrees) throw broken(path, 'its sidx does not list its fragments');
}

function checkOrder(segments: readonly Mp4Segment[], path: string): void {
  let nextTicks = 0;
  for (const segment of segments) {
    if (segment.firstSampleEndBytes > segment.lengthBytes)
      throw broken(path, 'a sample ends beyond its fragment');
    if (segment.startTicks !== nextTicks) throw broken(path, `a gap before ${segment.startTicks} ticks`);
    if (segment.durationTicks < 1)
      throw broken(path, `a fragment without duration at ${segment.startTicks} ticks`);
    nextTicks = segment.startTicks + segment.durationTicks;
  }
  if (segments[0]?.presentationStartTicks !== 0) throw broken(path, 'its presentation does not start at 0');
}

function broken(path: string, detail: string): Error {
  const name = path.split('/').at(-1) ?? '';
  return coded('ENCODE_FAILED', `ffmpeg’s output ${name} cannot be indexed: ${detail}`);
}
