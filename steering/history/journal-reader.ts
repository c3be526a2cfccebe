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
  let broken: Broken | undefined;
  const lines = readLines(path, () => {
    broken = 'damaged';
  });
  for await (const line of lines) {
    if (isFirst && line === checkOf([])) unchecked = [];
    isFirst = false;
    if (unchecked === undefined) yield line;
    else if (line === endLine) return;
    else if (line.startsWith(checkMark)) {
      if (line !== checkOf(unchecked)) {
        broken = 'damaged';
        break;
      }
      for (const checked of unchecked) yield checked.slice(0, -1);
      unchecked = [];
      characters = 0;
    } else {
      unchecked.push(`${line}\n`);
      characters += line.length;
      if (characters > charactersMax) {
        broken = 'damaged';
        break;
      }
    }
  }
  if (unchecked !== undefined) broken ??= 'cut';
  if (broken !== undefined) onBroken(broken);
}

async function* readLines(path: string, onDamage: () => void): AsyncGenerator<string, void> {
  const decoder = new StringDecoder('utf8');
  const text = pipeline(createReadStream(path), createZstdDecompress(patient), () => undefined);
  let parts: string[] = [];
  let length = 0;
  for await (const piece of untilBroken(text, onDamage)) {
    const [first = '', ...others] = decoder.write(piece).split('\n');
    parts.push(first);
    length += first.length;
    if (length > charactersMax) {
      // No line that was written is longer.
      onDamage();
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
  onDamage: () => void,
): AsyncGenerator<Buffer, void> {
  try {
    yield* stream;
  } catch (error) {
    // One that was pruned meanwhile is none.
    if (systemCode(error) !== 'ENOENT') onDamage();
  }
}
