import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

import type { Static, TSchema } from '../../common/contract/type.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded, isProblemCode, type CodedError } from '../../common/runtime/errors.ts';
import { parseAs, parseKindAs } from '../../common/runtime/parse.ts';
import { packedFilesMax, unpackFiles, type SizedFile } from '../store/packed-files.ts';
import type { ReadBy } from '../store/chunk-check.ts';
import { ChunkBuffers } from '../store/chunk-buffers.ts';
import type {
  DiskContents,
  DiskWriter,
  FoundDifference,
  ResumedDownload,
  WriteSpeed,
} from '../store/disk-writer.ts';
import { pageAligned } from '../store/page-aligned.ts';
import { letHeapGrow } from '../../common/runtime/heap.ts';
import { sendChunk, sharedBytes } from './chunk-pipe.ts';
import type { DiskChild } from './disk-child.ts';
import {
  Checked,
  DiskLook,
  FreeBytes,
  FromDisk,
  Opened,
  Published,
  Resumed,
  YesOrNo,
  type DiskQuestion,
  type ToDisk,
} from './disk-messages.ts';

export interface DiskProcessOptions {
  /** The root of the disk. */
  path: string;
  nodeId: string;
  log: Extract<ToDisk, { kind: 'init' }>['log'];
  clock: Clock;
  /** The process, which has not been told anything yet. */
  child: DiskChild;
}

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: CodedError) => void;
  /** Of `open`: what has been told so far. */
  readonly held: SizedFile[];
}

/** So long it may take to let go of its disk; then it is left to itself. */
const closeMsMax = 2000;
const what = 'a message of the process of a disk';

/**
 * The process of one disk, as the master sees it: it alone opens the disk's index and writes to it. Nobody waits for its end,
 * since one in D state has none; what was asked of it fails when it is given up.
 */
export class DiskProcess implements DiskWriter {
  /** Resolves when it has ended or was given up. */
  readonly ended: Promise<void>;
  readonly buffers: ChunkBuffers;
  readonly #child: ChildProcess;
  readonly #pipe: Socket;
  readonly #isShared: boolean;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners: ((found: FoundDifference) => void)[] = [];
  readonly #over = Promise.withResolvers<void>();
  #lastId = 0;
  #why: CodedError | undefined;
  #crash: string | undefined;

  constructor({ path, nodeId, log, clock, child: { process: child, memory } }: DiskProcessOptions) {
    this.#path = path;
    this.#clock = clock;
    this.ended = this.#over.promise;
    this.#isShared = memory !== undefined;
    this.buffers = new ChunkBuffers(memory ?? pageAligned(sharedBytes));
    this.#child = child;
    this.#pipe = this.#child.stdio[4] as Socket;
    // What it could not take is told by its end.
    this.#pipe.on('error', () => undefined);
    this.#child.on('message', (value) => {
      this.#hear(value);
    });
    this.#child.on('error', (error) => {
      this.#end(error.message);
    });
    this.#child.on('exit', (code, signal) => {
      this.#end(this.#crash ?? signal ?? `exit code ${code ?? 0}`);
    });
    this.#send({ kind: 'init', path, nodeId, log });
  }

  get isOver(): boolean {
    return this.#why !== undefined;
  }

  /** Why it is over, or what it says of itself. */
  get why(): string {
    return this.#why?.detail ?? 'it runs';
  }

  /** What is at its path. Errors: DISK_GONE, STORE_CORRUPT (the label), DISK_FAILED. */
  look(): Promise<DiskLook> {
    return this.#askFor({ op: 'look' }, DiskLook);
  }

  /** Has it lock, label and open the disk. Errors: STORE_LOCKED, STORE_NEWER, and all of a disk. */
  async open(how: Omit<Extract<DiskQuestion, { op: 'open' }>, 'op'>): Promise<DiskContents> {
    const held: SizedFile[] = [];
    const { partial } = parse(Opened, await this.#ask({ op: 'open', ...how }, held));
    return { held, partial: new Set(partial) };
  }

  /** Compares the whole disk with its index; what differs is told. */
  async heal(): Promise<void> {
    await this.#ask({ op: 'heal' });
  }

  /** Asks the disk for its label and for a write down to the platter. Errors: DISK_GONE and all of a disk. */
  async probe(disk: string): Promise<void> {
    await this.#ask({ op: 'probe', disk });
  }

  freeBytes(): Promise<number> {
    return this.#askFor({ op: 'free' }, FreeBytes);
  }

  async begin(file: string, descriptor: Buffer): Promise<void> {
    await this.#ask({ op: 'begin', file, descriptor: descriptor.toString('base64') });
  }

  async resume(file: string): Promise<ResumedDownload | undefined> {
    const resumed = await this.#askFor({ op: 'resume', file }, Resumed);
    if (resumed === null) return undefined;
    const { descriptor, bits, resumedBytes } = resumed;
    return {
      descriptor: Buffer.from(descriptor, 'base64'),
      bits: Buffer.from(bits, 'base64'),
      resumedBytes,
    };
  }

  async put(file: string, index: number, chunk: Uint8Array): Promise<boolean> {
    const { id, answer } = this.#expect();
    const place = this.#isShared ? this.buffers.placeOf(chunk) : undefined;
    if (!this.isOver) sendChunk(this.#pipe, { id, file, index }, { chunk, place });
    return parse(YesOrNo, await answer);
  }

  publish(file: string): Promise<WriteSpeed> {
    return this.#askFor({ op: 'publish', file }, Published);
  }

  async discard(file: string): Promise<void> {
    await this.#ask({ op: 'discard', file });
  }

  async remove(file: string): Promise<void> {
    await this.#ask({ op: 'remove', file });
  }

  async sendBack(file: string): Promise<void> {
    await this.#ask({ op: 'send-back', file });
  }

  examine(file: string): Promise<boolean> {
    return this.#askFor({ op: 'examine', file }, YesOrNo);
  }

  check(file: string, index: number, by: ReadBy): Promise<Static<typeof Checked>> {
    return this.#askFor({ op: 'check', file, index, by }, Checked);
  }

  onFound(listener: (found: FoundDifference) => void): void {
    this.#listeners.push(listener);
  }

  /** Has it let go of the disk and end; one that takes too long is given up. */
  async close(): Promise<void> {
    if (this.isOver) return;
    this.#send({ kind: 'close' });
    const over = new AbortController();
    const late = this.#clock.sleep(closeMsMax, { signal: over.signal }).catch(() => undefined);
    await Promise.race([this.ended, late]);
    over.abort();
    this.abandon();
  }

  /** Gives it up, whether or not it ends. */
  abandon(): void {
    // First: what was on its way must not be read from memory that serves something else by then.
    this.#pipe.destroy();
    this.#child.kill('SIGKILL');
    this.#end('it was given up');
    if (this.#child.connected) this.#child.disconnect();
    this.#child.unref();
  }

  #askFor<T extends TSchema>(question: DiskQuestion, schema: T): Promise<Static<T>> {
    return this.#ask(question).then((answer) => parse(schema, answer));
  }

  #ask(question: DiskQuestion, held?: SizedFile[]): Promise<unknown> {
    const { id, answer } = this.#expect(held);
    this.#send({ kind: 'ask', id, question });
    return answer;
  }

  #expect(held: SizedFile[] = []): { id: number; answer: Promise<unknown> } {
    if (this.#why !== undefined) return { id: 0, answer: Promise.reject(this.#why) };
    const id = ++this.#lastId;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, held });
    });
    return { id, answer };
  }

  #send(message: ToDisk): void {
    // Where it is gone, its end tells whoever waits.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #hear(value: unknown): void {
    const message = parseKindAs(FromDisk, value, { what });
    if (message.kind === 'crashed') {
      this.#crash = `${message.code} ${message.detail}`;
      return;
    }
    if (message.kind === 'found') {
      const { file, sizeBytes } = message;
      for (const listener of this.#listeners) listener({ file, sizeBytes });
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    if (message.kind === 'held') {
      const files = unpackFiles(message.files);
      if (files.length === packedFilesMax) letHeapGrow();
      for (const file of files) pending.held.push(file);
      return;
    }
    this.#pending.delete(message.id);
    if (message.kind === 'answer') pending.resolve(message.answer);
    else pending.reject(coded(isProblemCode(message.code) ? message.code : 'INTERNAL', message.detail));
  }

  #end(how: string): void {
    if (this.#why !== undefined) return;
    this.#why = coded('STORE_UNAVAILABLE', `the process of ${this.#path} has ended: ${how}`);
    this.#pipe.destroy();
    for (const { reject } of this.#pending.values()) reject(this.#why);
    this.#pending.clear();
    this.#over.resolve();
  }
}

function parse<T extends TSchema>(schema: T, value: unknown): Static<T> {
  return parseAs(schema, value, { what });
}
