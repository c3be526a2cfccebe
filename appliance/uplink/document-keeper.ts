import type { KeyObject } from 'node:crypto';
import type { Static, TSchema } from '../../common/contract/type.ts';

import type { DocumentPayload, DocumentType } from '../../common/contract/documents.ts';
import type { ProblemCode } from '../../common/contract/problem.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { openDocument } from '../../common/runtime/signed-documents.ts';
import type { UplinkRecords } from '../metrics.ts';
import { readIfPresent, replaceFile } from '../store/durable.ts';

export interface DocumentKeeperOptions<T extends TSchema> {
  typ: DocumentType;
  schema: T;
  /** This box's id. */
  audience: string;
  /** Where the last good one is kept. */
  path: string;
  findKey: (kid: string) => KeyObject | undefined;
  clock: Clock;
  log: Log;
  records: UplinkRecords;
}

/**
 * Holds the last good one of a kind of signed document, over restarts too. What does not verify, is older than what is
 * held, or is for somebody else changes nothing but the reason that the box gives for being unwell.
 */
export class DocumentKeeper<T extends TSchema> {
  readonly #options: DocumentKeeperOptions<T>;
  readonly #listeners: ((payload: DocumentPayload<Static<T>>) => void)[] = [];
  #current: DocumentPayload<Static<T>> | undefined;
  #refusal: ProblemCode | undefined;

  constructor(options: DocumentKeeperOptions<T>) {
    this.#options = options;
  }

  get current(): DocumentPayload<Static<T>> | undefined {
    return this.#current;
  }

  /** Sequence of the one held; 0 for none. */
  get sequence(): number {
    return this.#current?.sequence ?? 0;
  }

  /** What is wrong: the last one was refused, or the one held is past its time. */
  reasons(): ProblemCode[] {
    const isExpired = this.#current !== undefined && this.#current.notAfterMs <= this.#options.clock.nowMs();
    const reasons = new Set<ProblemCode>();
    if (this.#refusal !== undefined) reasons.add(this.#refusal);
    if (isExpired) reasons.add('DOCUMENT_EXPIRED');
    return [...reasons];
  }

  /** Hears of each document that is taken, `load`'s too. */
  onTaken(listener: (payload: DocumentPayload<Static<T>>) => void): void {
    this.#listeners.push(listener);
  }

  /** Reads what an earlier process kept. One that is past its time still says more than none. */
  async load(): Promise<void> {
    const { path, log } = this.#options;
    const jws = (await readIfPresent(path))?.toString('utf8');
    if (jws === undefined) return;
    try {
      this.#set(await this.#open(jws, { nowMs: 0 }));
    } catch (error) {
      log.warn({ err: error, path }, 'a kept document does not verify and is left aside');
    }
  }

  /**
   * Takes a document from the control plane; false when it is refused, and then nothing has changed. Throws
   * KEY_UNKNOWN, so that the caller may fetch a newer keyset and try again.
   */
  async take(jws: string): Promise<boolean> {
    const { clock, records, typ, path, log } = this.#options;
    try {
      const payload = await this.#open(jws, { nowMs: clock.nowMs() });
      const isNew = payload.sequence > this.sequence;
      this.#refusal = undefined;
      records.document(typ, 'taken');
      if (!isNew) return true;
      this.#set(payload);
      // After it is in force: a full disk must not keep a revocation from counting.
      await replaceFile(path, jws);
      return true;
    } catch (error) {
      const failure = toCoded(error);
      records.document(typ, failure.code);
      this.#refusal = failure.code;
      log.warn({ code: failure.code, err: failure, document: typ }, 'a signed document was refused');
      if (failure.code === 'KEY_UNKNOWN') throw failure;
      return false;
    }
  }

  #open(jws: string, { nowMs }: { nowMs: number }): Promise<DocumentPayload<Static<T>>> {
    const { typ, schema, audience, findKey } = this.#options;
    return openDocument(jws, { typ, schema, audience, findKey, sequenceMin: this.sequence, nowMs });
  }

  #set(payload: DocumentPayload<Static<T>>): void {
    this.#current = payload;
    for (const listener of this.#listeners) listener(payload);
  }
}
