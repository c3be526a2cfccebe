import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Bundle } from '../../../common/contract/bundle.ts';
import { describeBytes } from '../../../common/core/chunk-tree.ts';
import { parseJsonAs } from '../../../common/runtime/parse.ts';
import type { Encoded } from '../../../encoder/encode.ts';
import type { BuiltFile } from '../../../encoder/package/built-file.ts';
import { output } from './clips.ts';

/** The bytes of a built file. */
export async function bytesOf({ content }: BuiltFile): Promise<Buffer> {
  return content.kind === 'bytes' ? content.bytes : readFile(content.path);
}

interface PlaylistRange {
  uri: string;
  offset: number;
  length: number;
  durationS: number;
}

/** What a media or I-frame playlist says, by the grammar of RFC 8216. */
export function parsePlaylist(text: string): {
  map: PlaylistRange;
  ranges: PlaylistRange[];
  targetS: number;
} {
  const lines = text.trimEnd().split('\n');
  const map = /^#EXT-X-MAP:URI="([^"]+)",BYTERANGE="(\d+)@(\d+)"$/m.exec(text);
  const ranges: PlaylistRange[] = [];
  for (const [index, line] of lines.entries()) {
    const range = /^#EXT-X-BYTERANGE:(\d+)@(\d+)$/.exec(line);
    if (range === null) continue;
    const duration = /^#EXTINF:([\d.]+),$/.exec(lines[index - 1] ?? '');
    ranges.push({
      uri: lines[index + 1] ?? '',
      offset: Number(range[2]),
      length: Number(range[1]),
      durationS: Number(duration?.[1]),
    });
  }
  return {
    map: { uri: map?.[1] ?? '', length: Number(map?.[2]), offset: Number(map?.[3]), durationS: 0 },
    ranges,
    targetS: Number(/^#EXT-X-TARGETDURATION:(\d+)$/m.exec(text)?.[1]),
  };
}

interface Packet {
  ptsS: number;
  key: boolean;
}

/** Decodes a file to its end, strictly, and lists its packets. */
export async function decode(path: string): Promise<Packet[]> {
  await output('ffmpeg', ['-v', 'error', '-xerror', '-err_detect', 'explode', '-i', path, '-f', 'null', '-']);
  const entries = ['-show_entries', 'packet=pts_time,flags', '-of', 'csv=p=0'];
  const csv = await output('ffprobe', ['-v', 'error', ...entries, path]);
  return csv
    .trim()
    .split('\n')
    .map((line) => ({ ptsS: Number.parseFloat(line), key: line.includes(',K') }));
}

/**
 * Holds an encode against itself: every file's name is its bytes', the bundle is of the contract and lists the files,
 * every playlist's ranges lie in its file, and init + ranges decode with a key frame at each segment's start.
 */
export async function verifyEncoded(t: Test, encoded: Encoded, directory: string): Promise<Bundle> {
  const files = new Map(encoded.files.map((built) => [built.file, built]));
  for (const built of [...encoded.files, encoded.bundleFile]) {
    const described = describeBytes(await bytesOf(built));
    t.equal(described.file, built.file, `${built.role} is named by its bytes`);
    t.ok(described.descriptor.equals(built.descriptor), `${built.role} has its descriptor`);
  }
  const text = (await bytesOf(encoded.bundleFile)).toString();
  const bundle = parseJsonAs(Bundle, text, { what: 'the bundle' });
  t.same(
    new Set(bundle.files.map((file) => file.file)),
    new Set(files.keys()),
    'the bundle lists every file',
  );
  const read = async (name: string): Promise<Buffer> => {
    const built = files.get(name);
    return built === undefined ? Buffer.alloc(0) : bytesOf(built);
  };
  for (const media of [...bundle.video, ...bundle.audio]) {
    const bytes = await read(media.file);
    const playlist = parsePlaylist((await read(media.playlist)).toString());
    const extension = 'width' in media ? 'mp4' : 'm4a';
    const uris = new Set([playlist.map, ...playlist.ranges].map((range) => range.uri));
    t.same([...uris], [`${media.file}.${extension}`], `${media.id}: playlist refers to its own file only`);
    t.same(
      playlist.ranges.map(({ offset, length }) => [offset, length]),
      media.segments.map(([offset, length]) => [offset, length]),
      `${media.id}: playlist and bundle have the same ranges`,
    );
    t.equal(playlist.map.length, media.initLengthBytes, `${media.id}: same init`);
    t.ok(playlist.ranges.every(({ durationS }) => Math.round(durationS) <= playlist.targetS));
    checkBoxes(t, bytes, media);
    const parts = playlist.ranges.map(({ offset, length }) => bytes.subarray(offset, offset + length));
    const init = bytes.subarray(0, playlist.map.length);
    const whole = join(directory, `whole-${media.id}.mp4`);
    await writeFile(whole, Buffer.concat([init, ...parts]));
    const packets = await decode(whole);
    const ticks = media.segments.reduce((sum, [, , duration]) => sum + duration, 0);
    t.ok(Math.abs(ticks / media.timescale - bundle.durationMs / 1000) < 0.05, `${media.id}: whole duration`);
    if ('width' in media) {
      t.equal(packets.length, encoded.plan.video.frameCount, `${media.id}: all frames are there`);
      t.equal(
        packets.filter((packet) => packet.key).length,
        parts.length,
        `${media.id}: one key frame a segment`,
      );
      await verifySegments(t, { directory, id: media.id, init, parts, frames: packets.length });
      await verifyIframes(t, { bytes, playlist: (await read(media.iframePlaylist)).toString(), directory });
    }
  }
  verifyAlignment(t, bundle);
  return bundle;
}

function checkBoxes(
  t: Test,
  bytes: Buffer,
  media: { id: string; initLengthBytes: number; segments: number[][] },
): void {
  const typeAt = (offset: number): string => bytes.toString('latin1', offset + 4, offset + 8);
  t.equal(typeAt(0), 'ftyp');
  t.equal(typeAt(media.initLengthBytes), 'sidx', `${media.id}: the flat sidx follows the init`);
  const sidxEnd = media.initLengthBytes + bytes.readUInt32BE(media.initLengthBytes);
  t.equal(media.segments[0]?.[0], sidxEnd, `${media.id}: ranges begin after the sidx`);
  t.ok(
    media.segments.every(([offset = 0]) => typeAt(offset) === 'moof'),
    `${media.id}: segments begin with moof`,
  );
}

async function verifySegments(
  t: Test,
  media: { directory: string; id: string; init: Buffer; parts: Buffer[]; frames: number },
): Promise<void> {
  let frames = 0;
  for (const [index, part] of media.parts.entries()) {
    const path = join(media.directory, `segment-${media.id}-${index}.mp4`);
    await writeFile(path, Buffer.concat([media.init, part]));
    const packets = await decode(path);
    frames += packets.length;
    t.equal(packets[0]?.key, true, `${media.id}: segment ${index} decodes alone from a key frame`);
  }
  t.equal(frames, media.frames, `${media.id}: the segments' frames add up`);
}

async function verifyIframes(
  t: Test,
  { bytes, directory, playlist }: { bytes: Buffer; directory: string; playlist: string },
): Promise<void> {
  const { map, ranges } = parsePlaylist(playlist);
  t.match(playlist, /#EXT-X-I-FRAMES-ONLY/);
  for (const [index, { offset, length }] of ranges.entries()) {
    const path = join(directory, `iframe-${index}.mp4`);
    await writeFile(
      path,
      Buffer.concat([bytes.subarray(0, map.length), bytes.subarray(offset, offset + length)]),
    );
    // The fragment's header lists samples that the range does not hold: the first must decode all the same.
    const image = await output('ffmpeg', [
      '-v',
      'quiet',
      '-i',
      path,
      '-frames:v',
      '1',
      '-f',
      'framemd5',
      '-',
    ]);
    t.match(image, /^0,\s+\d/m, `I-frame ${index} decodes from its range`);
  }
}

function verifyAlignment(t: Test, bundle: Bundle): void {
  const [first] = bundle.video;
  for (const rendition of bundle.video) {
    t.same(
      rendition.segments.map(([, , duration]) => duration),
      first?.segments.map(([, , duration]) => duration),
      `${rendition.id}: same segment boundaries`,
    );
    t.equal((rendition.width % 2) + (rendition.height % 2), 0, `${rendition.id}: even size`);
    t.ok(rendition.peakBandwidth >= rendition.averageBandwidth);
  }
}
