import { LineSplitter } from '../../common/runtime/line-splitter.ts';
import type { ObjectId } from '../core/eviction/rule.ts';
import { traceInvalid, type OnRequest, type TraceReader } from './trace-reader.ts';

const header = /^time\s*,\s*id\s*,\s*size$/i;
const decimal = /^(0|[1-9]\d{0,14})$/;

/** Reads `time,id,size` lines: a number, any text without a comma, whole bytes above 0. A header of these names may stand first; empty lines are passed over. */
export class CsvReader implements TraceReader {
  readonly skippedLines = 0;
  readonly #lines: LineSplitter;

  constructor(onRequest: OnRequest) {
    this.#lines = new LineSplitter(traceInvalid, (line, number) => {
      if (line === '' || (number === 1 && header.test(line))) return;
      const [time = '', id = '', size = '', more] = line.split(',', 4).map((field) => field.trim());
      if (size === '' || id === '' || more !== undefined || !(Number(time) >= 0) || time === '')
        throw traceInvalid(`line ${number}`, `is not time,id,size: ${JSON.stringify(line.slice(0, 80))}`);
      const sizeBytes = decimal.test(size) ? Number(size) : 0;
      if (sizeBytes === 0)
        throw traceInvalid(
          `line ${number}`,
          `has size ${JSON.stringify(size.slice(0, 40))}; a size is a whole number of bytes above 0`,
        );
      onRequest(idOf(id), sizeBytes);
    });
  }

  push(bytes: Buffer): void {
    this.#lines.push(bytes);
  }

  end(): void {
    this.#lines.end();
  }
}

/** Numbers take less room than texts; only what is written as a number in one way is one. */
function idOf(text: string): ObjectId {
  return decimal.test(text) ? Number(text) : text;
}
