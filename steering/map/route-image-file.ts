import { createHash } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { openRouteImage, packRouteImage } from '../core/route-image.ts';
import type { BuiltRoutes } from '../core/route-map.ts';

/**
 * The merged routes of the last map on disk: an image (route-image.ts) behind its SHA-256. Whoever could write it could read the node's
 * key beside it, so the hash is there for what a crash or a disk leaves of it.
 */
export interface RouteImageFile {
  /** The routes that were made of what has this name; undefined where they are others, or damaged, or none are kept. */
  read(name: string): Promise<BuiltRoutes | undefined>;
  /** Puts routes into one piece of memory, from which `write` takes them. */
  keep(built: BuiltRoutes, name: string): BuiltRoutes;
  /** Writes what was kept last, unless it is written already. Throws with the system's code. */
  write(): Promise<void>;
}

const HASH_BYTES = 32;
const IMAGE_BYTES_MAX = 1024 * 1024 * 1024;

/**
 * Opens the file of a path; nothing is there until something is written. `prepare` is called with the memory of each image, which is going to be read
 * in no order.
 */
export function createRouteImageFile(
  path: string,
  prepare: (memory: Uint8Array) => void = () => undefined,
): RouteImageFile {
  let kept: SharedArrayBuffer | undefined;
  return {
    async read(name) {
      const image = await readImage(path, prepare);
      return image && openRouteImage(image, name);
    },
    keep(built, name) {
      kept = packRouteImage(built, name);
      prepare(new Uint8Array(kept));
      return openRouteImage(kept, name) ?? built;
    },
    async write() {
      const image = kept;
      if (image === undefined) return;
      await writeImage(path, image);
      if (kept === image) kept = undefined;
    },
  };
}

/** What cannot be read is made again, as what is damaged. */
async function readImage(
  path: string,
  prepare: (memory: Uint8Array) => void,
): Promise<SharedArrayBuffer | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  try {
    return file && (await readWhole(file, prepare));
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}

async function readWhole(
  file: FileHandle,
  prepare: (memory: Uint8Array) => void,
): Promise<SharedArrayBuffer | undefined> {
  const { size } = await file.stat();
  if (size < HASH_BYTES || size > IMAGE_BYTES_MAX) return undefined;
  const hash = Buffer.alloc(HASH_BYTES);
  await file.read(hash, 0, HASH_BYTES, 0);
  const image = new SharedArrayBuffer(size - HASH_BYTES);
  const bytes = new Uint8Array(image);
  prepare(bytes);
  let at = 0;
  while (at < bytes.length) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, HASH_BYTES + at);
    if (bytesRead === 0) return undefined;
    at += bytesRead;
  }
  return hashOf(image).equals(hash) ? image : undefined;
}

/** Not synced: what is damaged after a crash is made again. */
async function writeImage(path: string, image: SharedArrayBuffer): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(hashOf(image));
      await file.writeFile(new Uint8Array(image));
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function hashOf(image: SharedArrayBuffer): Buffer {
  return createHash('sha256').update(new Uint8Array(image)).digest();
}
