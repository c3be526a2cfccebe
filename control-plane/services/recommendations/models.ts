import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import { coded, valueOf } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createTurns } from '../turns.ts';
import { decodeModel } from './core/model-codec.ts';
import type { NamedModel } from './core/basis.ts';
import type { ModelRecord, ModelsState, RecommendationRecords } from './records.ts';

export interface ModelBookOptions {
  readonly records: RecommendationRecords;
  readonly blobs: Blobs;
  readonly log: Log;
  readonly modelsKept: number;
}

/**
 * The models that were trained: what is known of each in the records, their numbers in blobs, the one in force in memory. Changes take
 * turns, since each reads what the one before has written.
 */
export class ModelBook {
  readonly #options: ModelBookOptions;
  readonly #inTurn = createTurns();
  #state: ModelsState = {};
  #promoted: NamedModel | undefined;

  constructor(options: ModelBookOptions) {
    this.#options = options;
  }

  /** Reads which model is in force, and the model; one whose file is gone or damaged is in force no more. */
  async open(): Promise<void> {
    const { records, log } = this.#options;
    this.#state = (await records.state.get(stateKey))?.value ?? {};
    const { promoted } = this.#state;
    const bytes = promoted === undefined ? undefined : await this.#read(promoted);
    const decoded = bytes && decodeModel(bytes);
    if (decoded?.ok === true) this.#promoted = decoded.value;
    else if (promoted !== undefined)
      log.error(
        { model: promoted },
        'the file of the model in force is gone, or of another format: train another',
      );
  }

  get state(): ModelsState {
    return this.#state;
  }

  /** The model in force. */
  get promoted(): NamedModel | undefined {
    return this.#promoted;
  }

  /** The file of the model in force. */
  async promotedBytes(): Promise<Uint8Array | undefined> {
    return this.#promoted && this.#read(this.#promoted.version);
  }

  /** The latest first. */
  async list(): Promise<ModelRecord[]> {
    const all: ModelRecord[] = [];
    for await (const { value } of this.#options.records.models.all()) all.push(value);
    return all.sort((one, other) => other.trainedAtMs - one.trainedAtMs || (one.id < other.id ? -1 : 1));
  }

  /** Keeps a model; of those before it the latest stay, and the one in force. It is on the disk when this resolves. */
  add(record: Omit<ModelRecord, 'sha256' | 'sizeBytes'>, bytes: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      const { records, blobs, modelsKept } = this.#options;
      await blobs.write(keyOf(record.id), piecesOf(bytes), { sizeBytes: bytes.length });
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      await records.models.put(record.id, { ...record, sizeBytes: bytes.length, sha256 });
      for (const { id } of (await this.list()).slice(modelsKept))
        if (id !== this.#state.promoted) await records.models.remove(id);
      await this.#removeOrphans();
    });
  }

  /** Puts a model in force. Errors: MODEL_UNKNOWN, also for one whose file is gone or damaged. */
  promote(id: string): Promise<void> {
    return this.#inTurn(() => this.#promote(id));
  }

  /** The same where that one is in force (undefined: none) beside which it was judged; false where another is by now. Errors: as `promote`. */
  promoteInsteadOf(held: string | undefined, id: string): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#promoted?.version !== held) return false;
      await this.#promote(id);
      return true;
    });
  }

  /** Remembers what holds for all models. */
  note(change: Partial<ModelsState>): Promise<void> {
    return this.#inTurn(() => this.#note(change));
  }

  /** Removes files of models that no record names: those that were let go, and those of a process that died before it wrote the record. */
  async #removeOrphans(): Promise<void> {
    const { records, blobs } = this.#options;
    const prefix = keyOf('');
    for (let after: string | undefined; ;) {
      const files = await blobs.list(prefix, { after });
      for (const { key } of files)
        if ((await records.models.get(key.slice(prefix.length))) === undefined) await blobs.remove(key);
      after = files.at(-1)?.key;
      if (after === undefined) return;
    }
  }

  async #promote(id: string): Promise<void> {
    const bytes = await this.#read(id);
    if (bytes === undefined) throw coded('MODEL_UNKNOWN', `${id}; see the list of models`);
    const model = valueOf(decodeModel(bytes));
    await this.#note({ promoted: id });
    this.#promoted = model;
  }

  async #note(change: Partial<ModelsState>): Promise<void> {
    const next = { ...this.#state, ...change };
    await this.#options.records.state.put(stateKey, next);
    this.#state = next;
  }

  async #read(id: string): Promise<Uint8Array | undefined> {
    const { records, blobs } = this.#options;
    const record = (await records.models.get(id))?.value;
    const stream = record && (await blobs.read(keyOf(id)));
    if (record === undefined || stream === undefined) return undefined;
    // A copy: numbers are read where they lie, which must be aligned.
    const bytes = new Uint8Array(await buffer(stream));
    return createHash('sha256').update(bytes).digest('hex') === record.sha256 ? bytes : undefined;
  }
}

const stateKey = 'state';
const pieceBytes = 1024 * 1024;

function keyOf(id: string): string {
  return `recommendation-models/${id}`;
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}
