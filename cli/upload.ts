import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { UploadView } from '../common/contract/titles.ts';
import { coded, isCoded, systemCode } from '../common/runtime/errors.ts';
import type { CommandContext } from './context.ts';
import { formatBytes, formatDuration } from './output/format.ts';

const attemptsMax = 5;
const pauseMs = 700;
const passing = ['CONTROL_UNREACHABLE', 'UPLOAD_OFFSET', 'CONFLICT', 'TIMEOUT'] as const;
const readSizeBytes = 1024 * 1024;

/** A file that is open for reading, with what tells it apart. */
interface Source {
  readonly handle: FileHandle;
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/** Opens a video to be uploaded; the caller closes it. Errors: PATH_UNREADABLE, SOURCE_EMPTY. */
export async function openSource(path: string): Promise<Source> {
  try {
    const info = await stat(path);
    if (!info.isFile()) throw coded('PATH_UNREADABLE', `${path} is not a file`);
    if (info.size === 0) throw coded('SOURCE_EMPTY', path);
    return { handle: await open(path), path, sizeBytes: info.size, mtimeMs: info.mtimeMs };
  } catch (cause) {
    if (isCoded(cause)) throw cause;
    throw coded('PATH_UNREADABLE', { detail: `${path} (${systemCode(cause) ?? 'unknown'})`, cause });
  }
}

/**
 * Uploads a file in one stream and returns the upload's id. A stream that breaks goes on at the server's offset, a few
 * times here and, since the id is kept, also in a later run. Errors: those of openSource and the server's.
 */
export async function uploadFile(context: CommandContext, path: string): Promise<string> {
  const source = await openSource(path);
  try {
    return await uploadHandle(context, source);
  } finally {
    await source.handle.close();
  }
}

async function uploadHandle(context: CommandContext, source: Source): Promise<string> {
  const { handle, path, sizeBytes } = source;
  const keeper = resumeFile(context.api.server, `${resolve(path)}:${sizeBytes}:${source.mtimeMs}`);
  let upload = (await resumed(context, keeper, sizeBytes)) ?? (await begun(context, path, sizeBytes));
  await keep(keeper, upload.uploadId);
  const bar = context.output.progress('upload');
  const startedMs = performance.now();
  try {
    for (let attempt = 1; !upload.complete; attempt++) {
      try {
        upload = await sendRest(context, upload, { handle, bar });
      } catch (error) {
        if (attempt >= attemptsMax || !isCoded(error, ...passing)) throw error;
        // The server keeps the place of a broken stream for a moment before another may go on.
        await sleep(attempt * pauseMs, undefined, { signal: context.signal });
        upload = await context.api.call({ path: `/v1/uploads/${upload.uploadId}`, reply: UploadView });
      }
    }
  } catch (error) {
    bar.fail('stopped; run the same command again to go on');
    throw error;
  }
  await rm(keeper, { force: true }).catch(() => undefined);
  bar.done(`${formatBytes(sizeBytes)} in ${formatDuration(performance.now() - startedMs)}`);
  return upload.uploadId;
}

/** Where nothing can be kept (no home, a full disk) the upload goes all the same: only a later run starts anew. */
async function keep(keeper: string, uploadId: string): Promise<void> {
  try {
    await mkdir(join(keeper, '..'), { recursive: true });
    await writeFile(keeper, uploadId, { mode: 0o600 });
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

async function begun({ api }: CommandContext, path: string, sizeBytes: number): Promise<UploadView> {
  const body = { filename: basename(path), sizeBytes };
  return await api.call({
    method: 'POST',
    path: '/v1/uploads',
    body,
    reply: UploadView,
  });
}

async function resumed(
  { api }: CommandContext,
  keeper: string,
  sizeBytes: number,
): Promise<UploadView | undefined> {
  const id = await readFile(keeper, 'utf8').catch(() => undefined);
  if (id === undefined) return undefined;
  try {
    const upload = await api.call({
      path: `/v1/uploads/${encodeURIComponent(id)}`,
      reply: UploadView,
    });
    return upload.sizeBytes === sizeBytes ? upload : undefined;
  } catch (error) {
    if (isCoded(error, 'UPLOAD_UNKNOWN', 'NOT_FOUND', 'INVALID')) return undefined;
    throw error;
  }
}

async function sendRest(
  { api }: CommandContext,
  upload: UploadView,
  from: {
    handle: FileHandle;
    bar: { update(fraction: number, detail: string): void };
  },
): Promise<UploadView> {
  let position = upload.offsetBytes;
  const body = new ReadableStream<Uint8Array>({
    type: 'bytes',
    async pull(controller) {
      const buffer = new Uint8Array(Math.min(readSizeBytes, upload.sizeBytes - position));
      const { bytesRead } = await from.handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) {
        controller.error(coded('SOURCE_TRUNCATED', 'the file became shorter during the upload'));
        return;
      }
      position += bytesRead;
      from.bar.update(
        position / upload.sizeBytes,
        `${formatBytes(position)} of ${formatBytes(upload.sizeBytes)}`,
      );
      controller.enqueue(buffer.subarray(0, bytesRead));
      if (position === upload.sizeBytes) controller.close();
    },
  });
  return await api.send({
    path: `/v1/uploads/${upload.uploadId}`,
    offsetBytes: upload.offsetBytes,
    lengthBytes: upload.sizeBytes - upload.offsetBytes,
    body,
    reply: UploadView,
  });
}

/** Where the id of an unfinished upload of this very file to this server is kept. */
function resumeFile(server: string, identity: string): string {
  const name = createHash('sha256').update(`${server} ${identity}`).digest('hex').slice(0, 32);
  return join(homedir(), '.cache', 'nearcast', 'uploads', name);
}
