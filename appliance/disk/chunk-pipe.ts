import { Socket } from 'node:net';

import { chunkSizeBytes } from '../../common/core/chunk-tree.ts';
import { assert } from '../../common/runtime/errors.ts';
import { pageAligned } from '../store/page-aligned.ts';

// Chunks go from the process that fetches them to the one that writes them over a pipe: a head of fixed length, then the chunk, unless
// it lies in memory that both have. What else there is to say goes over the channel of messages.

/** Which chunk it is, and the question that it belongs to. */
export interface ChunkHead {
  readonly id: number;
  readonly file: string;
  readonly index: number;
}

/** The memory that master and disk process have together, where the addon is there: more chunks than there are transfers. */
export const sharedBytes = 128 * chunkSizeBytes;

const nameBytes = 32;
const headBytes = 4 * 4 + nameBytes;
/** In place of a place: the chunk follows. */
const follows = 0xffff_ffff;

/**
 * Sends a chunk. Its memory is read until who receives it has answered.
 *
 * @param place where in the shared memory it lies, in chunks; undefined for a chunk that is elsewhere and is sent itself.
 */
export function sendChunk(
  pipe: Socket,
  { id, file, index }: ChunkHead,
  { chunk, place }: { chunk: Uint8Array; place: number | undefined },
): void {
  assert(chunk.length <= chunkSizeBytes, 'no chunk is longer than a chunk');
  const head = Buffer.allocUnsafe(headBytes);
  head.writeUInt32LE(id, 0);
  head.writeUInt32LE(index, 4);
  head.writeUInt32LE(chunk.length, 8);
  head.writeUInt32LE(place ?? follows, 12);
  head.write(file, 16, nameBytes, 'hex');
  if (place !== undefined) {
    pipe.write(head);
    return;
  }
  pipe.cork();
  pipe.write(head);
  if (chunk.length > 0) pipe.write(chunk);
  pipe.uncork();
}

/**
 * Receives chunks from a descriptor. Of those that are sent themselves at most `chunksMax` at a time: while all of them are being
 * worked on it reads no further. Each comes in memory that begins on a page and is its own until `take` has ended.
 *
 * @param options.shared the memory that is shared, asked for when it is first needed.
 */
export function receiveChunks(
  fd: number,
  options: {
    chunksMax: number;
    shared: () => Buffer;
    take: (head: ChunkHead, chunk: Buffer) => Promise<void>;
  },
): void {
  const { chunksMax, shared, take } = options;
  const memory = pageAligned(chunksMax * chunkSizeBytes);
  const idle = Array.from({ length: chunksMax }, (_, at) =>
    memory.subarray(at * chunkSizeBytes, (at + 1) * chunkSizeBytes),
  );
  const head = Buffer.alloc(headBytes);
  let body = idle.pop();
  let wantedBytes = headBytes;
  let gotBytes = 0;
  let isBody = false;

  const begin = (what: 'head' | 'body', lengthBytes: number): void => {
    isBody = what === 'body';
    wantedBytes = lengthBytes;
    gotBytes = 0;
  };
  const give = async (chunk: Buffer, lengthBytes: number): Promise<void> => {
    await take(chunkHead(head), chunk.subarray(0, lengthBytes));
    idle.push(chunk);
    if (body !== undefined) return;
    body = idle.pop();
    socket.resume();
  };
  /** @returns whether there is memory for what comes next. */
  const came = (count: number): boolean => {
    gotBytes += count;
    if (gotBytes < wantedBytes) return true;
    if (!isBody) {
      const { lengthBytes, place } = placeIn(head);
      if (place !== follows) {
        const start = place * chunkSizeBytes;
        void take(chunkHead(head), shared().subarray(start, start + lengthBytes));
        begin('head', headBytes);
        return true;
      }
      begin('body', lengthBytes);
    }
    if (gotBytes < wantedBytes) return true;
    assert(body !== undefined, 'nothing is read without memory for it');
    void give(body, wantedBytes);
    body = idle.pop();
    begin('head', headBytes);
    return body !== undefined;
  };
  const socket = new Socket({
    fd,
    readable: true,
    writable: false,
    onread: {
      buffer: () => (isBody ? (body ?? head) : head).subarray(gotBytes, wantedBytes),
      callback: came,
    },
  });
  // Its end is that of the process at the other one, which the channel tells of too.
  socket.on('error', () => undefined);
}

function chunkHead(head: Buffer): ChunkHead {
  return { id: head.readUInt32LE(0), index: head.readUInt32LE(4), file: head.toString('hex', 16) };
}

function placeIn(head: Buffer): { lengthBytes: number; place: number } {
  const lengthBytes = head.readUInt32LE(8);
  assert(lengthBytes <= chunkSizeBytes, 'no chunk is longer than a chunk');
  const place = head.readUInt32LE(12);
  assert(place === follows || place < sharedBytes / chunkSizeBytes, 'a place is one of those there are');
  return { lengthBytes, place };
}
