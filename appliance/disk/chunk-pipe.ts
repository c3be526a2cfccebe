import { Socket } from 'node:net';

import { chunkSizeBytes } from '../../common/core/chunk-tree.ts';
import { assert } from '../../common/runtime/errors.ts';
import { pageAligned } from '../store/page-aligned.ts';

// Chunks go from the process that fetches them to the one that writes them as bytes on a pipe: a head of fixed length, then
// the chunk. What else there is to say goes over the channel of messages.

/** Which chunk it is, and the question that it belongs to. */
export interface ChunkHead {
  readonly id: number;
  readonly file: string;
  readonly index: number;
}

const nameBytes = 32;
const headBytes = 3 * 4 + nameBytes;

/** Sends a chunk. Its memory is read until who receives it has it all. */
export function sendChunk(pipe: Socket, { id, file, index }: ChunkHead, chunk: Uint8Array): void {
  assert(chunk.length <= chunkSizeBytes, 'no chunk is longer than a chunk');
  const head = Buffer.allocUnsafe(headBytes);
  head.writeUInt32LE(id, 0);
  head.writeUInt32LE(index, 4);
  head.writeUInt32LE(chunk.length, 8);
  head.write(file, 12, nameBytes, 'hex');
  pipe.cork();
  pipe.write(head);
  if (chunk.length > 0) pipe.write(chunk);
  pipe.uncork();
}

/**
 * Receives chunks from a descriptor, at most `chunksMax` at a time: while all of them are being worked on it reads no further.
 * Each comes in memory that begins on a page and is its own until `take` has ended.
 */
export function receiveChunks(
  fd: number,
  { chunksMax, take }: { chunksMax: number; take: (head: ChunkHead, chunk: Buffer) => Promise<void> },
): void {
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
    const which = { id: head.readUInt32LE(0), index: head.readUInt32LE(4), file: head.toString('hex', 12) };
    await take(which, chunk.subarray(0, lengthBytes));
    idle.push(chunk);
    if (body !== undefined) return;
    body = idle.pop();
    socket.resume();
  };
  /** @returns whether there is memory for what comes next. */
  const came = (count: number): boolean => {
    gotBytes += count;
    if (gotBytes < wantedBytes) return true;
    if (!isBody) begin('body', lengthIn(head));
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

function lengthIn(head: Buffer): number {
  const lengthBytes = head.readUInt32LE(8);
  assert(lengthBytes <= chunkSizeBytes, 'no chunk is longer than a chunk');
  return lengthBytes;
}
