import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { UploadRequest, UploadView } from '../../../common/contract/titles.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { newObjectId } from '../../core/object-id.ts';
import type { CatalogOptions } from './ports.ts';
import { openUploadRecords, type UploadRecord } from './records.ts';
import { UploadFiles } from './upload-file.ts';
import { UploadWriter } from './upload-writer.ts';

export interface UploadsDependencies {
  readonly records: Records;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly options: CatalogOptions;
}

// A writer that has been silent for so long is taken for gone when another one wants to go on.
const takeOverIdleMs = 2000;
const sweepEveryMs = 60_000;

/**
 * Resumable uploads. The offset that is told is on the disk: after a crash or a power cut an upload goes on there. One
 * writer an upload; writers are bounded; what nobody continues is removed.
 */
export class Uploads {
  readonly #collection: Collection<UploadRecord>;
  readonly #files: UploadFiles;
  readonly #deps: UploadsDependencies;
  readonly #uploads = new Map<string, UploadRecord>();
  readonly #writers = new Map<string, { writer: UploadWriter; finished: Promise<void> }>();

  private constructor(deps: UploadsDependencies, files: UploadFiles) {
    this.#deps = deps;
    this.#files = files;
    this.#collection = openUploadRecords(deps.records);
  }

  /** Opens the directory and what earlier processes have left in it. */
  static async open(deps: UploadsDependencies): Promise<Uploads> {
    const uploads = new Uploads(deps, await UploadFiles.open(deps.options.uploadsDir));
    await uploads.#recover();
    return uploads;
  }

  /** Begins an upload. Errors: SOURCE_EMPTY, UPLOAD_TOO_LARGE, OVERLOADED, DISK_FULL. */
  async create({ filename, sizeBytes }: UploadRequest): Promise<UploadView> {
    const { options, clock, chance } = this.#deps;
    if (sizeBytes === 0) throw coded('SOURCE_EMPTY', `${filename} has no bytes; choose a video file`);
    if (sizeBytes > options.sourceSizeBytesMax) {
      throw coded('UPLOAD_TOO_LARGE', `at most ${String(options.sourceSizeBytesMax)} bytes are taken`);
    }
    if (this.#uploads.size >= options.uploadsMax) {
      const detail = `${String(options.uploadsMax)} uploads are under way; finish one of them first`;
      throw coded('OVERLOADED', { detail, retryAfterMs: 60_000 });
    }
    const freeBytes = await this.#files.freeBytes();
    if (sizeBytes > freeBytes) {
      throw coded('DISK_FULL', `the upload needs ${String(sizeBytes)} bytes, ${String(freeBytes)} are free`);
    }
    const uploadId = newObjectId('upload', chance);
    const nowMs = clock.nowMs();
    await this.#files.create(uploadId);
    const times = { createdAtMs: nowMs, touchedAtMs: nowMs };
    await this.#save({ version: 1, uploadId, filename, sizeBytes, offsetBytes: 0, ...times });
    return this.view(uploadId);
  }

  /** An upload as it stands. Errors: UPLOAD_UNKNOWN. */
  view(uploadId: string): UploadView {
    const { filename, sizeBytes, offsetBytes } = this.#get(uploadId);
    return { uploadId, filename, sizeBytes, offsetBytes, complete: offsetBytes === sizeBytes };
  }

  /**
   * Continues an upload with the bytes of `body`. What arrived before a failure is kept, so that the next call goes on from
   * there. Errors: UPLOAD_UNKNOWN, UPLOAD_OFFSET, UPLOAD_TOO_LARGE, CONFLICT (another writer is at it), OVERLOADED,
   * DISK_FULL, TIMEOUT (nothing came), ABORTED (the caller went away).
   */
  async append(
    uploadId: string,
    body: Readable,
    at: { offsetBytes: number; lengthBytes?: number | undefined },
  ): Promise<UploadView> {
    await this.#displaceIdle(uploadId);
    const upload = this.#get(uploadId);
    if (upload.titleId !== undefined) throw coded('CONFLICT', `${uploadId} is complete and is made a title`);
    if (at.offsetBytes !== upload.offsetBytes) {
      throw coded('UPLOAD_OFFSET', `${uploadId} goes on at byte ${String(upload.offsetBytes)}`);
    }
    if (at.offsetBytes + (at.lengthBytes ?? 0) > upload.sizeBytes) {
      throw coded('UPLOAD_TOO_LARGE', `${uploadId} has room for ${String(upload.sizeBytes)} bytes in all`);
    }
    if (this.#writers.size >= this.#deps.options.uploadWritersMax) {
      throw coded('OVERLOADED', { detail: 'too many uploads are written at once', retryAfterMs: 2000 });
    }
    const writer = new UploadWriter({
      upload,
      files: this.#files,
      clock: this.#deps.clock,
      idleMs: this.#deps.options.uploadIdleMs,
      onDurable: (offsetBytes) => this.#advance(uploadId, offsetBytes),
    });
    const finished = writer.write(body).finally(() => {
      this.#writers.delete(uploadId);
    });
    this.#writers.set(uploadId, { writer, finished });
    await finished;
    return this.view(uploadId);
  }

  /** Reserves a complete upload for a title. Errors: UPLOAD_UNKNOWN, UPLOAD_INCOMPLETE, CONFLICT. */
  async claim(uploadId: string, titleId: string): Promise<{ sizeBytes: number; filename: string }> {
    const upload = this.#get(uploadId);
    if (upload.offsetBytes !== upload.sizeBytes) {
      const missing = `${String(upload.offsetBytes)} of ${String(upload.sizeBytes)} bytes are here`;
      throw coded('UPLOAD_INCOMPLETE', `${missing}; continue ${uploadId} first`);
    }
    if (upload.titleId !== undefined)
      throw coded('CONFLICT', `${uploadId} is already made ${upload.titleId}`);
    // Reserved before the first wait: two claims at once must not both succeed.
    this.#uploads.set(uploadId, { ...upload, titleId });
    try {
      await this.#save({ ...upload, titleId });
    } catch (error) {
      this.#uploads.set(uploadId, upload);
      throw error;
    }
    return { sizeBytes: upload.sizeBytes, filename: upload.filename };
  }

  /** Uploads that a title was, or was about to be, made from. */
  claimed(): { uploadId: string; titleId: string }[] {
    return [...this.#uploads.values()].flatMap(({ uploadId, titleId }) =>
      titleId === undefined ? [] : [{ uploadId, titleId }],
    );
  }

  /** Gives a claimed upload back: its title could not be made, and another may be. */
  async release(uploadId: string): Promise<void> {
    const upload = this.#uploads.get(uploadId);
    if (upload === undefined) return;
    const { titleId: _, ...free } = upload;
    await this.#save({ ...free, touchedAtMs: this.#deps.clock.nowMs() });
  }

  /** The bytes of a complete upload. */
  read(uploadId: string): Readable {
    return createReadStream(this.#files.path(uploadId), { highWaterMark: 1024 * 1024 });
  }

  /** Forgets an upload whose bytes are elsewhere now, or that nobody wants. */
  async remove(uploadId: string): Promise<void> {
    this.#uploads.delete(uploadId);
    await this.#collection.remove(uploadId);
    await this.#files.remove(uploadId);
  }

  /** Removes, every minute until the signal, what was abandoned. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#deps.clock.sleep(sweepEveryMs, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.sweep();
    }
  }

  /** Removes uploads that nobody has continued within their time. */
  async sweep(): Promise<void> {
    const { clock, log, options } = this.#deps;
    const untilMs = clock.nowMs() - options.uploadTtlMs;
    for (const { uploadId, touchedAtMs, titleId, offsetBytes } of [...this.#uploads.values()]) {
      if (touchedAtMs > untilMs || titleId !== undefined || this.#writers.has(uploadId)) continue;
      try {
        await this.remove(uploadId);
        log.info({ uploadId, offsetBytes }, 'abandoned upload removed');
      } catch (error) {
        log.error({ uploadId, err: error }, 'abandoned upload could not be removed');
      }
    }
  }

  async #recover(): Promise<void> {
    for await (const { value } of this.#collection.all()) {
      const sizeBytes = await this.#files.sizeBytes(value.uploadId);
      this.#uploads.set(value.uploadId, { ...value, offsetBytes: Math.min(value.offsetBytes, sizeBytes) });
    }
    await this.#files.removeOthers(new Set(this.#uploads.keys()));
  }

  /** A client whose connection broke comes back before the server has noticed: the silent writer makes way. */
  async #displaceIdle(uploadId: string): Promise<void> {
    const current = this.#writers.get(uploadId);
    if (current === undefined) return;
    const { writer, finished } = current;
    if (writer.idleForMs() < takeOverIdleMs) {
      throw coded('CONFLICT', {
        detail: `another request is writing ${uploadId}`,
        retryAfterMs: takeOverIdleMs,
      });
    }
    writer.displace();
    await finished.catch(() => undefined);
    if (this.#writers.has(uploadId)) throw coded('CONFLICT', `another request is writing ${uploadId}`);
  }

  async #advance(uploadId: string, offsetBytes: number): Promise<void> {
    const upload = this.#get(uploadId);
    await this.#save({ ...upload, offsetBytes, touchedAtMs: this.#deps.clock.nowMs() });
  }

  async #save(upload: UploadRecord): Promise<void> {
    await this.#collection.put(upload.uploadId, upload);
    this.#uploads.set(upload.uploadId, upload);
  }

  #get(uploadId: string): UploadRecord {
    const upload = this.#uploads.get(uploadId);
    if (upload === undefined)
      throw coded('UPLOAD_UNKNOWN', `${uploadId}; it is done, expired or was never begun`);
    return upload;
  }
}
