import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** One file of the journal: whole by itself, so any of them can be read, copied or removed alone. */
export interface Segment {
  readonly path: string;
  /** Wall time of its first record. */
  readonly startMs: number;
  readonly sizeBytes: number;
}

const name = /^(\d{13})\.journal\.zst$/;

/** The file for a segment that begins now. */
export function segmentPath(directory: string, startMs: number): string {
  return join(directory, `${String(startMs).padStart(13, '0')}.journal.zst`);
}

/** The segments there are, oldest first; none where there is no directory. */
export async function listSegments(directory: string): Promise<Segment[]> {
  const names = await readdir(directory).catch(() => []);
  const found = names.flatMap((file) => {
    const [, startMs] = name.exec(file) ?? [];
    return startMs === undefined ? [] : [{ path: join(directory, file), startMs: Number(startMs) }];
  });
  const sized = await Promise.all(
    found.map(async (segment) => {
      // One that was pruned meanwhile is none.
      const sizeBytes = await stat(segment.path).then(({ size }) => size, () => undefined); // prettier-ignore
      return sizeBytes === undefined ? [] : [{ ...segment, sizeBytes }];
    }),
  );
  return sized.flat().toSorted((a, b) => a.startMs - b.startMs);
}

/**
 * Removes what is too old or too much, oldest first; the newest always stays, since it is being written. A segment is too
 * old when its successor began before `beforeMs`.
 */
export async function pruneSegments(
  directory: string,
  { beforeMs, bytesMax }: { beforeMs: number; bytesMax: number },
): Promise<void> {
  const segments = await listSegments(directory);
  let bytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const [index, { path, sizeBytes }] of segments.slice(0, -1).entries()) {
    if ((segments[index + 1]?.startMs ?? Infinity) >= beforeMs && bytes <= bytesMax) return;
    await rm(path, { force: true });
    bytes -= sizeBytes;
  }
}
