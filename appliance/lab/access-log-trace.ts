import { FileName, SizeBytes } from '../../common/contract/primitives.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import { chunkSizeBytes, fileSizeBytesMax } from '../../common/core/chunk-tree.ts';
import { LineSplitter } from '../../common/runtime/line-splitter.ts';
import { matches } from '../../common/runtime/parse.ts';
import { traceInvalid, type OnRequest, type TraceReader } from './trace-reader.ts';

/** What a line of the access log has where bytes of a file were sent (records/access-record.ts). */
const SentLine = Type.Object({
  file: FileName,
  ext: Type.String(),
  range: Type.Tuple([SizeBytes, SizeBytes]),
  sent: SizeBytes,
});

/**
 * Reads a box's own access log. The log does not tell how large a file is, so the objects are the chunks of 1 MiB that a range touches, as
 * far as it was sent; the last chunk of a file counts as a whole one. Lines about anything but the bytes of a file are passed over, torn ones are counted.
 */
export class AccessLogReader implements TraceReader {
  skippedLines = 0;
  readonly #lines: LineSplitter;

  constructor(onRequest: OnRequest) {
    this.#lines = new LineSplitter(traceInvalid, (line) => {
      if (line === '') return;
      const value = parseJson(line);
      if (value === undefined) this.skippedLines++;
      else if (matches(SentLine, value)) readChunks(value, onRequest);
    });
  }

  push(bytes: Buffer): void {
    this.#lines.push(bytes);
  }

  end(): void {
    this.#lines.end();
  }
}

function readChunks(
  { file, ext, range: [first, last], sent }: Static<typeof SentLine>,
  onRequest: OnRequest,
): void {
  const end = Math.min(last + 1, first + sent, fileSizeBytesMax);
  // A list of chunk hashes is kept with its file and evicted with it.
  if (ext === 'chunks' || end <= first) return;
  const lastChunk = Math.floor((end - 1) / chunkSizeBytes);
  for (let chunk = Math.floor(first / chunkSizeBytes); chunk <= lastChunk; chunk++) {
    onRequest(`${file}/${chunk}`, chunkSizeBytes);
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
