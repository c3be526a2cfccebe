import { createHash, hash, type Hash } from 'node:crypto';

import { ok, refused, type Result } from './result.ts';

/** Size of a chunk in bytes; the last one of a file may be shorter. */
export const chunkSizeBytes = 1024 * 1024;

const hashLengthBytes = 32;
const magic = Buffer.from('nearcast-file\0', 'latin1');
const formatVersion = 1;
/** Bytes of a descriptor before its hashes. */
export const descriptorHeadLengthBytes = magic.length + 1 + 8;
/** 16 TiB: the largest file a descriptor may describe; its chunk list is 512 MiB. */
export const fileSizeBytesMax = 16 * 1024 ** 4;

/** The size of a file and the SHA-256 of each of its chunks. */
export interface ChunkTree {
  readonly sizeBytes: number;
  /** Concatenated SHA-256 hashes, 32 bytes a chunk. */
  readonly hashes: Buffer;
}

/** How many chunks a file of that many bytes has. */
export function chunkCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / chunkSizeBytes);
}

/** Length in bytes of chunk `index` of a file of `sizeBytes`. */
export function chunkLengthBytes(sizeBytes: number, index: number): number {
  return Math.min(chunkSizeBytes, sizeBytes - index * chunkSizeBytes);
}

/** Length in bytes of the descriptor of a file of `sizeBytes`. */
export function descriptorLengthBytes(sizeBytes: number): number {
  return descriptorHeadLengthBytes + chunkCount(sizeBytes) * hashLengthBytes;
}

/** The canonical descriptor (ADR 2): magic, format version, size, chunk hashes. */
export function encodeDescriptor(tree: ChunkTree): Buffer {
  const head = Buffer.alloc(descriptorHeadLengthBytes);
  magic.copy(head);
  head.writeUInt8(formatVersion, magic.length);
  head.writeBigUInt64BE(BigInt(tree.sizeBytes), magic.length + 1);
  return Buffer.concat([head, tree.hashes]);
}

/** The name of a file: hex SHA-256 of its descriptor. */
export function fileNameOf(descriptor: Uint8Array): string {
  return createHash('sha256').update(descriptor).digest('hex');
}

/** The size in bytes that a descriptor states, from its head; undefined where it is no head of the known format version. */
export function describedSizeBytes(head: Buffer): number | undefined {
  if (head.length < descriptorHeadLengthBytes || !head.subarray(0, magic.length).equals(magic))
    return undefined;
  if (head.readUInt8(magic.length) !== formatVersion) return undefined;
  const size = head.readBigUInt64BE(magic.length + 1);
  return size > BigInt(fileSizeBytesMax) ? undefined : Number(size);
}

/**
 * Reads a descriptor that claims to be that of `file`. The name authenticates it, so whoever sent it need not be trusted.
 * Refuses (FILE_CORRUPT) what does not hash to the name or is not well formed.
 */
export function openDescriptor(file: string, descriptor: Buffer): Result<ChunkTree> {
  if (fileNameOf(descriptor) !== file)
    return refused('FILE_CORRUPT', `the chunk list does not hash to ${file}`);
  const sizeBytes = describedSizeBytes(descriptor);
  if (sizeBytes === undefined) {
    return refused(
      'FILE_CORRUPT',
      `the chunk list of ${file} is none, or not of format version ${formatVersion}`,
    );
  }
  if (descriptor.length !== descriptorLengthBytes(sizeBytes)) {
    return refused('FILE_CORRUPT', `the chunk list of ${file} does not fit its size`);
  }
  return ok({ sizeBytes, hashes: descriptor.subarray(descriptorHeadLengthBytes) });
}

/** Whether `chunk` is chunk `index` of the file, to the byte. */
export function verifyChunk(tree: ChunkTree, index: number, chunk: Uint8Array): boolean {
  if (index < 0 || index >= chunkCount(tree.sizeBytes)) return false;
  if (chunk.length !== chunkLengthBytes(tree.sizeBytes, index)) return false;
  // At once: a third of the cost of a hash object for what is small, and never more.
  const digest = hash('sha256', chunk, 'buffer');
  return digest.equals(tree.hashes.subarray(index * hashLengthBytes, (index + 1) * hashLengthBytes));
}

/** Builds the chunk tree of a file from its bytes as they come. */
export class ChunkTreeBuilder {
  #hash: Hash = createHash('sha256');
  #inChunkBytes = 0;
  #sizeBytes = 0;
  readonly #hashes: Buffer[] = [];

  /** Takes the next bytes of the file, in pieces of any length. */
  update(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length) {
      const take = Math.min(bytes.length - offset, chunkSizeBytes - this.#inChunkBytes);
      this.#hash.update(bytes.subarray(offset, offset + take));
      this.#inChunkBytes += take;
      offset += take;
      if (this.#inChunkBytes === chunkSizeBytes) this.#endChunk();
    }
    this.#sizeBytes += bytes.length;
  }

  /** The finished tree with its descriptor and name. The builder takes no more bytes after it. */
  finish(): { tree: ChunkTree; descriptor: Buffer; file: string } {
    if (this.#inChunkBytes > 0) this.#endChunk();
    const tree = {
      sizeBytes: this.#sizeBytes,
      hashes: Buffer.concat(this.#hashes),
    };
    const descriptor = encodeDescriptor(tree);
    return { tree, descriptor, file: fileNameOf(descriptor) };
  }

  #endChunk(): void {
    this.#hashes.push(this.#hash.digest());
    this.#hash = createHash('sha256');
    this.#inChunkBytes = 0;
  }
}

/** Chunk tree, descriptor and name of bytes that are in memory. */
export function describeBytes(bytes: Uint8Array): {
  tree: ChunkTree;
  descriptor: Buffer;
  file: string;
} {
  const builder = new ChunkTreeBuilder();
  builder.update(bytes);
  return builder.finish();
}
