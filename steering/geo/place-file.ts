import { open, stat } from 'node:fs/promises';

import type { Clock } from '../../common/runtime/clock.ts';
import { coded, systemCode, toCoded } from '../../common/runtime/errors.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Places } from '../core/rank-query.ts';
import { openPlaceBook } from './place-book.ts';

const everyMs = 60_000;
const bytesMax = 1024 ** 3;

/** The places of a file, read again when it changes. */
export interface PlaceFile {
  places(): Places | undefined;
  /** The file itself, in memory that threads share. */
  bytes(): SharedArrayBuffer | undefined;
  /** Told the bytes whenever they are new. */
  onChange(listener: (bytes: SharedArrayBuffer) => void): void;
  readonly component: Component;
}

/**
 * Follows a MaxMind database (.mmdb). Without one that can be read the process does not start (GEO_FILE_INVALID); one that cannot be
 * read later changes nothing.
 */
export function createPlaceFile({ path, clock, log }: { path: string; clock: Clock; log: Log }): PlaceFile {
  const listeners: ((bytes: SharedArrayBuffer) => void)[] = [];
  let places: Places | undefined;
  let held: SharedArrayBuffer | undefined;
  let stamp = '';
  let done: Promise<void> | undefined;

  const look = async (): Promise<void> => {
    const now = await stampOf(path);
    if (now === stamp) return;
    stamp = now;
    const bytes = await readShared(path);
    places = openPlaceBook(bytes);
    held = bytes;
    log.info({ path, bytes: bytes.byteLength }, 'places of addresses are known by a file');
    for (const listener of listeners) listener(bytes);
  };
  const follow = async (signal: AbortSignal): Promise<void> => {
    const hasSlept = (): Promise<boolean> =>
      clock.sleep(everyMs, { signal }).then(
        () => true,
        () => false,
      );
    while (await hasSlept()) {
      await look().catch((error: unknown) => {
        log.warn(
          { path, err: toCoded(error) },
          'the file of places cannot be read; the one before it goes on',
        );
      });
    }
  };
  return {
    places: () => places,
    bytes: () => held,
    onChange: (listener) => listeners.push(listener),
    component: {
      name: 'places',
      async start({ signal }) {
        await look();
        done = follow(signal);
      },
      async stop() {
        await done;
      },
    },
  };
}

async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Reads a file into memory that threads share. Errors: GEO_FILE_INVALID. */
export async function readShared(path: string): Promise<SharedArrayBuffer> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    const { size } = await file.stat();
    if (size > bytesMax) throw coded('GEO_FILE_INVALID', `${path} is larger than ${bytesMax} bytes`);
    const bytes = new SharedArrayBuffer(size);
    const view = new Uint8Array(bytes);
    let at = 0;
    for (let read = 1; at < size && read > 0; at += read)
      ({ bytesRead: read } = await file.read(view, at, size - at));
    if (at < size) throw coded('GEO_FILE_INVALID', `${path} became shorter while it was read`);
    return bytes;
  } finally {
    await file.close();
  }
}

function unreadable(path: string, cause: unknown): Error {
  return coded('GEO_FILE_INVALID', {
    detail: `${path} cannot be read (${systemCode(cause) ?? 'unknown'})`,
    cause,
  });
}
