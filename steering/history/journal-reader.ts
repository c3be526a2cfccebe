import { createReadStream } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { pipeline } from 'node:stream';
import { constants, createZstdDecompress } from 'node:zlib';
import { systemCode } from '../../common/runtime/errors.ts';
import { checkMark, checkOf, endLine } from './journal-checks.ts';

/** A line may be a whole map. */
const charactersMax = 128 * 2 ** 20;
/** A stream that fails forgets what still waits in it: its end is none too early, and nothing is decompressed before what was is taken. */
const patient = { finishFlush: constants.ZSTD_e_flush, readableHighWaterMark: 1 };

/**
 * How a segment ends otherwise than by its last line: damaged, or cut off, as one that is being written, or was when its process died.
 * Damage may look like the latter.
 */
export type Broken = 'damaged' | 'cut';

/**
 * The lines of a segment, or of a recording: up to the last that is sure to be as it was written, where `onBroken` is called. Of a
 * recording, and of what versions before checks have written, up to the last that could be read, and only damage is told.
 */
export async function* readSegment(
  path: string,
  onBroken: (how: Broken) => void = () => undefined,
): AsyncGenerator<string, void> {
  // Lines that are still to be checked; undefined where none is.
  let unchecked: string[] | undefined;
  let characters = 0;
  let isFirst = true;
  let broken: Broken | 'gone' | undefined;
  const lines = readLines(path, (how) => {
    broken = how;
  });
  for await (const line of lines) {
    // A record is an object; before the first one stands the check of nothing, or nothing is checked.
    if (isFirst && !line.startsWith('{')) unchecked = [];
    if (unchecked === undefined) yield line;
    else if (line.startsWith(checkMark)) {
      // All is checked before the end.
      if (line === endLine && unchecked.length === 0) return;
      if (line !== checkOf(unchecked)) {
        broken = 'damaged';
        break;
      }
      for (const checked of unchecked) yield checked.slice(0, -1);
      unchecked = [];
      characters = 0;
    } else if (isFirst) {
      broken = 'damaged';
      break;
    } else {
      unchecked.push(`${line}\n`);
      characters += line.length;
      if (characters > charactersMax) {
        broken = 'damaged';
        break;
      }
    }
    isFirst = false;
  }
  if (unchecked !== undefined || isFirst) broken ??= 'cut';
  if (broken !== undefined && broken !== 'gone') onBroken(broken);
}

async function* readLines(
  path: string,
  onBroken: (how: 'damaged' | 'gone') => void,
): AsyncGenerator<string, void> {
  const decoder = new StringDecoder('utf8');
  const text = pipeline(createReadStream(path), createZstdDecompress(patient), () => undefined);
  let parts: string[] = [];
  let length = 0;
  for await (const piece of untilBroken(text, onBroken)) {
    const [first = '', ...others] = decoder.write(piece).split('\n');
    parts.push(first);
    length += first.length;
    if (length > charactersMax) {
      // No line that was written is longer.
      onBroken('damaged');
      return;
    }
    const last = others.pop();
    if (last === undefined) continue;
    yield parts.join('');
    yield* others;
    parts = [last];
    length = last.length;
  }
}

async function* untilBroken(
  stream: AsyncIterable<Buffer>,
  onBroken: (how: 'damaged' | 'gone') => void,
): AsyncGenerator<Buffer, void> {
  try {
    yield* stream;
  } catch (error) {
    // One that was pruned meanwhile is none.
    onBroken(systemCode(error) === 'ENOENT' ? 'gone' : 'damaged');
  }
}
