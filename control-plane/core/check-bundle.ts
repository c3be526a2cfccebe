import type { Bundle } from '../../common/contract/bundle.ts';
import { ok, refused, type Result } from '../../common/core/result.ts';
import type { MediaRendition } from './playback-manifest.ts';

type FileRole = Bundle['files'][number]['role'];

const extensions: Readonly<Record<FileRole, string>> = {
  video: 'mp4',
  audio: 'm4a',
  playlist: 'm3u8',
  'iframe-playlist': 'm3u8',
  poster: 'jpg',
  sprite: 'jpg',
  thumbnails: 'vtt',
  captions: 'vtt',
};

/**
 * Whether a bundle that has the right form also makes sense: everything it refers to is listed with its role, ranges lie in
 * their files and follow one another, ids differ, renditions share their segment boundaries. Refuses BUNDLE_INVALID.
 */
export function checkBundle(bundle: Bundle): Result<Bundle> {
  for (const problem of problems(bundle)) return refused('BUNDLE_INVALID', problem);
  return ok(bundle);
}

function* problems(bundle: Bundle): Generator<string> {
  yield* listProblems(bundle);
  yield* reachProblems(bundle);
  const sizes = new Map(bundle.files.map(({ file, sizeBytes }) => [file, sizeBytes]));
  for (const media of [...bundle.video, ...bundle.audio])
    yield* rangeProblems(media, sizes.get(media.file) ?? 0);
  yield* boundaryProblems(bundle);
}

function* listProblems({ files, video, audio, captions = [] }: Bundle): Generator<string> {
  for (const { file, ext, role } of files) {
    if (extensions[role] !== ext)
      yield `${role} ${file} has the extension ${ext} instead of ${extensions[role]}`;
  }
  // Equal content has one name (two black sprites), so a repeat is no fault as long as it says the same.
  const sizes = new Map(files.map(({ file, sizeBytes }) => [file, sizeBytes]));
  for (const { file, sizeBytes } of files) {
    if (sizes.get(file) !== sizeBytes) yield `${file} is listed with two sizes`;
  }
  const ids = [...video, ...audio, ...captions].map(({ id }) => id);
  if (new Set(ids).size !== ids.length) yield 'two renditions have the same id';
}

function* reachProblems({
  files,
  video,
  audio,
  captions = [],
  poster,
  thumbnails,
}: Bundle): Generator<string> {
  const roles = new Map(files.map(({ file, role }) => [file, role]));
  const wanted: (readonly [string, FileRole])[] = [
    [poster, 'poster'],
    [thumbnails.vtt, 'thumbnails'],
    ...thumbnails.sprites.map((sprite) => [sprite, 'sprite'] as const),
    ...captions.flatMap((one) => [[one.file, 'captions'] as const, [one.playlist, 'playlist'] as const]),
    ...audio.flatMap((media) => [[media.file, 'audio'] as const, [media.playlist, 'playlist'] as const]),
    ...video.flatMap((media) => [
      [media.file, 'video'] as const,
      [media.playlist, 'playlist'] as const,
      [media.iframePlaylist, 'iframe-playlist'] as const,
    ]),
  ];
  for (const [file, role] of wanted) {
    const listed = roles.get(file);
    if (listed === undefined) yield `${role} ${file} is not in the list of files`;
  }
}

function* rangeProblems(media: MediaRendition, sizeBytes: number): Generator<string> {
  let endBytes = media.initLengthBytes;
  for (const [offset, length] of media.segments) {
    if (offset < endBytes) yield `segments of ${media.id} overlap at byte ${offset}`;
    endBytes = offset + length;
  }
  if (endBytes > sizeBytes) yield `${media.id} has a range up to byte ${endBytes} in a file of ${sizeBytes}`;
}

/** Boundaries may differ by a frame, no more: a player switches at them (closed GOPs, fixed duration). */
function* boundaryProblems({ video }: Bundle): Generator<string> {
  const [first, ...others] = video;
  if (first === undefined) return;
  const expected = boundariesS(first);
  for (const other of others) {
    const toleranceS = 1.5 / Math.max(1, Math.min(first.frameRate, other.frameRate));
    const actual = boundariesS(other);
    const differs = actual.findIndex(
      (atS, index) => Math.abs(atS - (expected[index] ?? Infinity)) > toleranceS,
    );
    if (actual.length !== expected.length || differs !== -1) {
      yield `${other.id} has other segment boundaries than ${first.id}`;
    }
  }
}

function boundariesS({ segments, timescale }: MediaRendition): number[] {
  let ticks = 0;
  return segments.map(([, , durationTicks]) => (ticks += durationTicks) / timescale);
}
