import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { storeError } from '../../../common/adapters/shared/store-error.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { assert, coded, isCoded, systemCode, type CodedError } from '../../../common/runtime/errors.ts';
import type { UploadRecord } from './records.ts';
import { writeAt, type UploadFiles } from './upload-file.ts';

export interface UploadWriterOptions {
  readonly upload: UploadRecord;
  readonly files: UploadFiles;
  readonly clock: Clock;
  readonly idleMs: number;
  /** Called when more bytes are on the disk; resolves when that is remembered. */
  readonly onDurable: (offsetBytes: number) => Promise<void>;
}

// At most so much is sent again after a crash.
const syncEveryBytes = 8 * 1024 * 1024;

/** One request's writing to one upload: each chunk is on its way to the disk before the next is taken from the socket. */
export class UploadWriter {
  readonly #options: UploadWriterOptions;
  readonly #watch = new AbortController();
  #body: Readable | undefined;
  #lastByteMs: number;
  /** The disk's time is not the sender's silence. */
  #diskAtWork = false;
  #endedBy: CodedError | undefined;
  #positionBytes: number;
  #durableBytes: number;

  constructor(options: UploadWriterOptions) {
    this.#options = options;
    this.#lastByteMs = options.clock.monotonicMs();
    this.#positionBytes = options.upload.offsetBytes;
    this.#durableBytes = options.upload.offsetBytes;
  }

  /** How long nothing has come. */
  idleForMs(): number {
    return this.#diskAtWork ? 0 : this.#options.clock.monotonicMs() - this.#lastByteMs;
  }

  /** Ends this writer in favour of another; its `write` ends when its bytes are safe. */
  displace(): void {
    this.#end(coded('ABORTED', 'another request goes on with this upload'));
  }

  /** Writes the body to its end. A failure is thrown after what came before it has been made durable. */
  async write(body: Readable): Promise<void> {
    assert(this.#body === undefined, 'a writer writes one body');
    this.#body = body;
    const watched = this.#watchIdle();
    try {
      await this.#writeFile(body);
    } catch (error) {
      // Read on, or the caller never stops sending to hear what went wrong.
      body.resume();
      throw this.#endedBy ?? bodyError(error);
    } finally {
      this.#watch.abort();
      await watched;
    }
  }

  async #writeFile(body: Readable): Promise<void> {
    const { files, upload } = this.#options;
    const opened = await files.openAt(upload.uploadId, upload.offsetBytes);
    const { handle } = opened;
    try {
      if (opened.offsetBytes !== upload.offsetBytes) {
        await this.#options.onDurable(opened.offsetBytes);
        throw coded(
          'UPLOAD_OFFSET',
          `bytes were lost; ${upload.uploadId} goes on at ${String(opened.offsetBytes)}`,
        );
      }
      await this.#pump(handle, body);
      await this.#makeDurable(handle);
    } catch (error) {
      await this.#salvage(handle, error);
      throw error;
    } finally {
      await handle.close();
    }
  }

  async #pump(handle: FileHandle, body: Readable): Promise<void> {
    const { sizeBytes } = this.#options.upload;
    // Destroying a request's body destroys its socket, and with it the answer that says what went wrong.
    const chunks = body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
    for await (const chunk of chunks) {
      this.#diskAtWork = true;
      if (this.#positionBytes + chunk.length > sizeBytes) {
        throw coded('UPLOAD_TOO_LARGE', `${String(sizeBytes)} bytes were announced and more came`);
      }
      await writeAt(handle, chunk, this.#positionBytes).catch((error: unknown) => {
        throw storeError(error, 'writing an upload');
      });
      this.#positionBytes += chunk.length;
      if (this.#positionBytes - this.#durableBytes >= syncEveryBytes) await this.#makeDurable(handle);
      this.#diskAtWork = false;
      this.#lastByteMs = this.#options.clock.monotonicMs();
    }
  }

  async #makeDurable(handle: FileHandle): Promise<void> {
    if (this.#positionBytes === this.#durableBytes) return;
    await handle.datasync().catch((error: unknown) => {
      throw storeError(error, 'writing an upload');
    });
    await this.#options.onDurable(this.#positionBytes);
    this.#durableBytes = this.#positionBytes;
  }

  /** Keeps what a failed request has brought; what a request brought that was too long is not trusted. */
  async #salvage(handle: FileHandle, error: unknown): Promise<void> {
    if (isCoded(error, 'UPLOAD_TOO_LARGE')) {
      this.#positionBytes = this.#options.upload.offsetBytes;
      if (this.#durableBytes === this.#positionBytes) return;
    }
    // What cannot be made durable now is sent again: the first failure is the one to tell.
    await this.#makeDurable(handle).catch(() => undefined);
  }

  async #watchIdle(): Promise<void> {
    const { clock, idleMs } = this.#options;
    const { signal } = this.#watch;
    while (!signal.aborted) {
      const leftMs = idleMs - this.idleForMs();
      if (leftMs <= 0) {
        this.#end(coded('TIMEOUT', `no byte came for ${String(idleMs)} ms; go on with this upload later`));
        return;
      }
      await clock.sleep(leftMs, { signal }).catch(() => undefined);
    }
  }

  #end(reason: CodedError): void {
    this.#endedBy ??= reason;
    this.#body?.destroy(reason);
  }
}

const brokenOff: ReadonlySet<string | undefined> = new Set([
  'ECONNRESET',
  'ERR_STREAM_PREMATURE_CLOSE',
  'EPIPE',
]);

/** A body that breaks off is the caller's going away, whatever the socket calls it. */
function bodyError(error: unknown): unknown {
  if (!brokenOff.has(systemCode(error))) return error;
  return coded('ABORTED', { detail: 'the upload broke off', cause: error });
}
