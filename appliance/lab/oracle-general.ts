import type { ObjectId } from '../core/eviction/rule.ts';
import { traceInvalid, type OnRequest, type TraceReader } from './trace-reader.ts';

const recordBytes = 24;
/** Upper halves from here on make a number that a double does not hold exactly. */
const exactHigh = 2 ** 21;
const word = 2 ** 32;

/**
 * Reads oracleGeneral, the binary format of libCacheSim: little-endian records of uint32 time, uint64 id, uint32 size and int64 next access,
 * which is the number of the request that asks for the object next; -1 and the largest int64 are for never.
 */
export class OracleGeneralReader implements TraceReader {
  readonly skippedLines = 0;
  readonly #onRequest: OnRequest;
  /** The beginning of a record whose end has not come yet. */
  #rest: Buffer = Buffer.alloc(0);
  #records = 0;

  constructor(onRequest: OnRequest) {
    this.#onRequest = onRequest;
  }

  push(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const wholeBytes = all.length - (all.length % recordBytes);
    const view = new DataView(all.buffer, all.byteOffset, wholeBytes);
    for (let start = 0; start < wholeBytes; start += recordBytes) {
      this.#records++;
      const low = view.getUint32(start + 4, true);
      const high = view.getUint32(start + 8, true);
      const sizeBytes = view.getUint32(start + 12, true);
      if (sizeBytes === 0) throw this.#invalid('has size 0; leave such records out');
      const id = high < exactHigh ? high * word + low : largeId(view, start + 4);
      this.#onRequest(id, sizeBytes, this.#nextAccess(view, start + 16));
    }
    // A copy: the piece that it is from would be kept for it.
    this.#rest = Buffer.from(all.subarray(wholeBytes));
  }

  end(): void {
    if (this.#rest.length === 0) return;
    this.#records++;
    throw this.#invalid(
      `has ${this.#rest.length} of its ${recordBytes} bytes: the trace was cut, or is of another format; fetch it again, or cut it to whole records`,
    );
  }

  #nextAccess(view: DataView, start: number): number {
    const low = view.getUint32(start, true);
    const high = view.getInt32(start + 4, true);
    const isNever = low === 0xffffffff && (high === -1 || high === 0x7fffffff);
    if (isNever) return Infinity;
    if (high < 0 || high >= exactHigh) {
      throw this.#invalid(
        'has an impossible next access: this is no oracleGeneral trace, or it is compressed and its name does not end in .zst or .gz',
      );
    }
    return high * word + low;
  }

  #invalid(detail: string) {
    return traceInvalid(`record ${this.#records} (byte ${(this.#records - 1) * recordBytes})`, detail);
  }
}

/**
 * A number of its own for an id that a double does not hold exactly, as hashed ids are: the double of the same 64 bits, since with a bigint every policy would take
 * thrice the time. Bits that are no number or a smaller id's number remain a bigint.
 */
function largeId(view: DataView, start: number): ObjectId {
  const sameBits = view.getFloat64(start, true);
  const isTaken = Number.isNaN(sameBits) || (Number.isSafeInteger(sameBits) && sameBits >= 0);
  return isTaken ? view.getBigUint64(start, true) : sameBits;
}
