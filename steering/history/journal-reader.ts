import { createReadStream } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { pipeline } from 'node:stream';
import { constants, createZstdDecompress } from 'node:zlib';
import { coded } from '../../common/runtime/errors.ts';

/** A line may be a whole map. */
const lineCharactersMax = 128 * 2 ** 20;
/** A stream that fails forgets what still waits in it: its end is none too early, and nothing is decompressed before what was is taken. */
const patient = { finishFlush: constants.ZSTD_e_flush, readableHighWaterMark: 1 };

/**
 * The lines of a segment. One that is being written, or was when its process died, ends with the last line that was flushed
 * whole; so does one that is damaged. @throws STORE_CORRUPT where a line is longer than any that was written.
 */
export async function* readSegment(path: string): AsyncGenerator<string, void> {
  const decoder = new StringDecoder('utf8');
  const text = pipeline(createReadStream(path), createZstdDecompress(patient), () => undefined);
  let parts: string[] = [];
  let length = 0;
  for await (const piece of untilBroken(text)) {
    const [first = '', ...others] = decoder.write(piece).split('\n');
    parts.push(first);
    length += first.length;
    if (length > lineCharactersMax)
      throw coded('STORE_CORRUPT', `${path} is no journal: its lines have no end`);
    const last = others.pop();
    if (last === undefined) continue;
    yield parts.join('');
    yield* others;
    parts = [last];
    length = last.length;
  }
}

async function* untilBroken(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  try {
    yield* stream;
  } catch {
    // What came before is whole: zstd checks its blocks, and the last line without an end is left out.
  }
}
