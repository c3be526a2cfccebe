import { createCipheriv, createHash, randomBytes } from 'node:crypto';

import { chunkCount, chunkSizeBytes, describeBytes } from '../../../common/core/chunk-tree.ts';
import { mintDeliveryToken, type DeliveryClaims } from '../../../common/core/tokens/delivery-token.ts';
import type { SigningKey } from '../../../common/runtime/keys.ts';
import type { FileStore } from '../../../appliance/store/file-store.ts';

/** A file as tests make it: its bytes with their name and chunk list. */
export interface TestFile {
  readonly file: string;
  readonly ext: string;
  readonly bytes: Buffer;
  readonly descriptor: Buffer;
}

/** Names bytes. */
export function testFile(bytes: Buffer, ext = 'mp4'): TestFile {
  const { file, descriptor } = describeBytes(bytes);
  return { file, ext, bytes, descriptor };
}

/** Bytes that repeat themselves for a seed and differ everywhere. */
export function seededBytes(sizeBytes: number, seed: number): Buffer {
  const key = createHash('sha256').update(String(seed)).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

/** The bundle file of some files, with as much in it as an appliance reads. */
export function testBundle(files: readonly TestFile[]): TestFile {
  const list = files.map(({ file, ext, bytes }) => ({ file, ext, role: 'video', sizeBytes: bytes.length }));
  return testFile(Buffer.from(JSON.stringify({ version: 1, durationMs: 1000, files: list })), 'json');
}

/** Puts a file into a store the way a fill does, on this of its disks if one is named. */
export async function putFile(
  store: FileStore,
  { file, bytes, descriptor }: TestFile,
  disk?: number,
): Promise<void> {
  const partial = await store.begin(file, descriptor, disk);
  for (let index = 0; index < chunkCount(bytes.length); index++) {
    await partial.put(index, bytes.subarray(index * chunkSizeBytes, (index + 1) * chunkSizeBytes));
  }
  await store.publish(partial);
}

/** A token by this key; play for the bundle unless said otherwise. */
export function testToken(
  key: SigningKey,
  claims: Partial<DeliveryClaims> & { bundle?: string; nowMs?: number } = {},
): string {
  const nowS = Math.floor((claims.nowMs ?? Date.now()) / 1000);
  const { nowMs: _nowMs, ...given } = claims;
  return mintDeliveryToken(
    {
      scope: 'play',
      session: randomBytes(16).toString('hex'),
      issuedAtS: nowS - 1,
      expiresAtS: nowS + 3600,
      ...given,
    },
    { kid: key.kid, key: key.privateKey },
  );
}
