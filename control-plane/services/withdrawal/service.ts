import type { Records } from '../../../common/adapters/records/port.ts';
import { documentTypes } from '../../../common/contract/documents.ts';
import {
  receiptAudience,
  WithdrawalReceipt,
  type WithdrawalView,
  type WithdrawnFiles,
} from '../../../common/contract/withdrawals.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { openDocument } from '../../../common/runtime/signed-documents.ts';
import { newObjectId } from '../../core/object-id.ts';
import { createTurns } from '../turns.ts';
import type { BundleRevocations, WithdrawalCatalog, WithdrawalNodes } from './ports.ts';
import {
  openWithdrawalRecords,
  type ReceiptRecord,
  type WithdrawalRecord,
  type WithdrawalRecords,
} from './records.ts';

export interface WithdrawalsOptions {
  records: Records;
  catalog: WithdrawalCatalog;
  nodes: WithdrawalNodes;
  revocations: BundleRevocations;
  clock: Clock;
  chance: Chance;
  log: Log;
}

/** Withdraws titles, tells boxes what to delete, and keeps their receipts. */
export interface Withdrawals {
  /** Goes on with what an earlier process had begun. */
  start(): Promise<void>;
  /**
   * Withdraws a title now: out of plans and steering, its tokens revoked, its bytes to be deleted. Again does no harm.
   * Errors: TITLE_UNKNOWN, TITLE_NOT_LIVE, CONFLICT, OVERLOADED (too many withdrawals are not confirmed).
   */
  withdraw(titleId: string): Promise<WithdrawalView>;
  /**
   * Allows the files of a withdrawn title to be shown again, by a title that is made of them anew: boxes need not delete them any more,
   * and tokens that were made before are good again for as long as they last. Again does no harm. Errors: NOT_FOUND.
   */
  lift(id: string): Promise<WithdrawalView>;
  /** What boxes are to delete: of every withdrawal that a box has not confirmed, or of which a token may be left. */
  active(): Promise<WithdrawnFiles[]>;
  /** Takes a box's receipt. Errors: SIGNATURE_INVALID, KEY_UNKNOWN, DOCUMENT_FOREIGN, DOCUMENT_EXPIRED, NOT_FOUND. */
  receive(nodeId: string, jws: string): Promise<void>;
  /** Every withdrawal, the latest first. */
  views(): WithdrawalView[];
  /** One, with the receipts themselves. Errors: NOT_FOUND. */
  view(id: string): Promise<WithdrawalView>;
}

// A day for the longest token, and an hour for clocks that are off.
const tokensLifeMs = 25 * 3_600_000;
const withdrawalsMax = 1000;
/** How many files `WithdrawnFiles` may name. */
const withdrawnFilesMax = 5000;

type Receipt = Omit<ReceiptRecord, 'jws'>;
interface Entry {
  record: WithdrawalRecord;
  readonly receipts: Map<string, Receipt>;
}

/** Opens what was withdrawn and who has confirmed it. */
export async function openWithdrawals(options: WithdrawalsOptions): Promise<Withdrawals> {
  const store = openWithdrawalRecords(options.records);
  const known: WithdrawalRecord[] = [];
  for await (const { value } of store.withdrawals.all()) known.push(value);
  // The oldest first, which is the order in which they come and are forgotten.
  known.sort((a, b) => a.withdrawnAtMs - b.withdrawnAtMs);
  const entries = new Map(
    known.map((record): [string, Entry] => [record.id, { record, receipts: new Map() }]),
  );
  for await (const { value } of store.receipts.all()) {
    const { jws: _kept, ...receipt } = value;
    entries.get(value.withdrawal)?.receipts.set(value.nodeId, receipt);
  }
  return new KeptWithdrawals(options, { store, entries });
}

class KeptWithdrawals implements Withdrawals {
  readonly #options: WithdrawalsOptions;
  readonly #store: WithdrawalRecords;
  readonly #entries: Map<string, Entry>;
  readonly #inTurn = createTurns();

  constructor(
    options: WithdrawalsOptions,
    { store, entries }: { store: WithdrawalRecords; entries: Map<string, Entry> },
  ) {
    this.#options = options;
    this.#store = store;
    this.#entries = entries;
  }

  async start(): Promise<void> {
    for (const entry of this.#entries.values()) {
      const { revocationsSequence, liftedAtMs } = entry.record;
      if (revocationsSequence === 0 && liftedAtMs === undefined)
        await this.#inTurn(() => this.#carryOut(entry));
    }
  }

  withdraw(titleId: string): Promise<WithdrawalView> {
    return this.#inTurn(async () => {
      const entry = this.#inForce(titleId) ?? (await this.#begin(titleId));
      if (entry.record.revocationsSequence === 0) await this.#carryOut(entry);
      return this.#viewOf(entry);
    });
  }

  lift(id: string): Promise<WithdrawalView> {
    return this.#inTurn(async () => {
      const { clock, revocations, log } = this.#options;
      const entry = this.#entry(id);
      const { bundle, others = [], titleId, withdrawnAtMs } = entry.record;
      const { liftedAtMs = clock.nowMs() } = entry.record;
      // First the records: boxes are told by what they say. What was withdrawn, shown again and withdrawn once more is lifted as one.
      for (const earlier of this.#entries.values()) {
        const { record } = earlier;
        const isSame = record.titleId === titleId && record.bundle === bundle;
        if (isSame && record.liftedAtMs === undefined && record.withdrawnAtMs <= withdrawnAtMs)
          await this.#change(earlier, { closed: true, liftedAtMs });
      }
      // Another withdrawal of the same files is none of this one's.
      const isWithdrawn = [...this.#entries.values()].some(
        ({ record }) => record.bundle === bundle && record.liftedAtMs === undefined,
      );
      // An earlier video may be made again too: the same source makes the same files.
      if (!isWithdrawn) for (const name of [bundle, ...others]) await revocations.lift(name);
      log.info({ titleId, withdrawal: id }, 'withdrawal lifted');
      return this.#viewOf(entry);
    });
  }

  async active(): Promise<WithdrawnFiles[]> {
    const open: Entry[] = [];
    for (const entry of this.#entries.values()) if (!(await this.#isClosed(entry))) open.push(entry);
    if (open.length === 0) return [];
    // What another title is made of too, or was published again, is not to be deleted.
    const bundles = this.#options.catalog.bundles();
    const published = new Set(bundles.flatMap(({ files }) => files.map(({ file }) => file)));
    return open.map(({ record }) => ({
      withdrawal: record.id,
      files: record.files.filter((file) => !published.has(file)),
    }));
  }

  async receive(nodeId: string, jws: string): Promise<void> {
    const { clock, nodes, log } = this.#options;
    const { body } = await openDocument(jws, {
      typ: documentTypes.withdrawalReceipt,
      schema: WithdrawalReceipt,
      audience: receiptAudience,
      sequenceMin: 0,
      nowMs: clock.nowMs(),
      findKey: (kid) => {
        const node = nodes.findNode(kid);
        // Only the box itself says what is on its disks.
        return node?.nodeId === nodeId && !node.revoked ? node.publicKey : undefined;
      },
    });
    await this.#inTurn(async () => {
      const entry = this.#entry(body.withdrawal);
      // A box tells again after each start, then of nothing deleted: the first receipt of an enrolment is the one to keep.
      if (this.#confirmed(entry, nodeId) !== undefined) return;
      const receipt = { ...body, nodeId, receivedAtMs: clock.nowMs() };
      await this.#store.receipts.put(`${body.withdrawal}/${nodeId}`, { ...receipt, jws });
      entry.receipts.set(nodeId, receipt);
      log.info(
        { withdrawal: body.withdrawal, node: nodeId, files: body.deletedFiles },
        'withdrawal confirmed',
      );
    });
  }

  views(): WithdrawalView[] {
    return [...this.#entries.values()]
      .sort((a, b) => b.record.withdrawnAtMs - a.record.withdrawnAtMs)
      .map((entry) => this.#viewOf(entry));
  }

  async view(id: string): Promise<WithdrawalView> {
    const view = this.#viewOf(this.#entry(id));
    const nodes = view.nodes.map(async (node) => {
      const kept = node.confirmed ? await this.#store.receipts.get(`${id}/${node.id}`) : undefined;
      return kept === undefined ? node : { ...node, receipt: kept.value.jws };
    });
    return { ...view, nodes: await Promise.all(nodes) };
  }

  /** The withdrawal by which a title is withdrawn, or that was cut short; none of a title that has come again since. */
  #inForce(titleId: string): Entry | undefined {
    const { catalog } = this.#options;
    const isWithdrawn = catalog.isWithdrawn(titleId);
    const bundle = isWithdrawn ? undefined : catalog.withdrawable(titleId).bundle;
    return [...this.#entries.values()]
      .filter(({ record }) => record.titleId === titleId && record.liftedAtMs === undefined)
      .filter(({ record }) => isWithdrawn || (record.revocationsSequence === 0 && record.bundle === bundle))
      .sort((a, b) => a.record.withdrawnAtMs - b.record.withdrawnAtMs)
      .at(-1);
  }

  async #begin(titleId: string): Promise<Entry> {
    const { catalog, chance, clock, log } = this.#options;
    const { name, bundle, others, pictures, files: all } = catalog.withdrawable(titleId);
    // Two pictures may have a size in common. What is beyond the most boxes delete because nothing plans it any more.
    const files = [...new Map(all.map((one) => [one.file, one])).values()].slice(0, withdrawnFilesMax);
    await this.#makeRoom();
    const record: WithdrawalRecord = {
      version: 1,
      id: newObjectId('withdraw', chance),
      ...(pictures.length > 0 && { pictures: [...pictures] }),
      ...(others.length > 0 && { others: [...others] }),
      ...{ titleId, title: name, bundle, files: files.map(({ file }) => file) },
      sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      withdrawnAtMs: clock.nowMs(),
      revocationsSequence: 0,
      closed: false,
    };
    await this.#store.withdrawals.put(record.id, record);
    const entry: Entry = { record, receipts: new Map() };
    this.#entries.set(record.id, entry);
    log.info({ titleId, withdrawal: record.id, files: files.length }, 'title withdrawn');
    return entry;
  }

  /** Out of plans and steering first, so that no new token comes after the revocation. */
  async #carryOut(entry: Entry): Promise<void> {
    const { catalog, revocations } = this.#options;
    const { titleId, bundle, others = [], pictures = [] } = entry.record;
    // A picture, or the video to come, may have been made since the record was.
    const removed = await catalog.withdraw(titleId);
    const { sequence } = await revocations.revoke([...new Set([bundle, ...others, ...pictures, ...removed])]);
    await this.#change(entry, { revocationsSequence: sequence });
  }

  /** Forgets the oldest withdrawal that is over where there are as many as may be. */
  async #makeRoom(): Promise<void> {
    if (this.#entries.size < withdrawalsMax) return;
    const oldest = [...this.#entries.values()].find(({ record }) => record.closed);
    if (oldest === undefined) {
      throw coded(
        'OVERLOADED',
        `${String(withdrawalsMax)} withdrawals wait for boxes; revoke those that are gone for good`,
      );
    }
    const { id } = oldest.record;
    for (const nodeId of oldest.receipts.keys()) await this.#store.receipts.remove(`${id}/${nodeId}`);
    await this.#store.withdrawals.remove(id);
    this.#entries.delete(id);
  }

  async #isClosed(entry: Entry): Promise<boolean> {
    const { record } = entry;
    if (record.closed) return true;
    const isOver = this.#options.clock.nowMs() - record.withdrawnAtMs > tokensLifeMs;
    if (!isOver || !this.#viewOf(entry).complete) return false;
    await this.#change(entry, { closed: true });
    return true;
  }

  async #change(entry: Entry, change: Partial<WithdrawalRecord>): Promise<void> {
    const next = { ...entry.record, ...change };
    await this.#store.withdrawals.put(next.id, next);
    entry.record = next;
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw coded('NOT_FOUND', `there is no withdrawal ${id}`);
    return entry;
  }

  /** The receipt of a node's enrolment of now: a box that was enrolled anew has to confirm anew. */
  #confirmed({ receipts }: Entry, nodeId: string): Receipt | undefined {
    const receipt = receipts.get(nodeId);
    const node = this.#options.nodes.serving().find(({ id }) => id === nodeId);
    return receipt === undefined || receipt.receivedAtMs < (node?.enrolledAtMs ?? 0) ? undefined : receipt;
  }

  #viewOf(entry: Entry): WithdrawalView {
    const { id, titleId, title, bundle, files, sizeBytes, withdrawnAtMs } = entry.record;
    const { revocationsSequence, closed, liftedAtMs } = entry.record;
    // Of one that is over those that confirmed: boxes that came since have nothing to do with it.
    const nodes = closed ? confirmedNodes(entry) : this.#openNodes(entry);
    const complete = nodes.every(({ confirmed }) => confirmed);
    return {
      ...{ id, titleId, title, bundle, files: files.length, sizeBytes, withdrawnAtMs },
      ...{ revocationsSequence, ...(liftedAtMs !== undefined && { liftedAtMs }), complete, nodes },
    };
  }

  #openNodes(entry: Entry): WithdrawalView['nodes'] {
    const nodes = this.#options.nodes.serving().map(({ id, state }): WithdrawalView['nodes'][number] => {
      const receipt = this.#confirmed(entry, id);
      return receipt === undefined ? { id, confirmed: false, state } : confirmedNode(receipt);
    });
    return nodes.sort((a, b) => Number(a.confirmed) - Number(b.confirmed));
  }
}

function confirmedNodes({ receipts }: Entry): WithdrawalView['nodes'] {
  return [...receipts.values()].map(confirmedNode);
}

function confirmedNode({
  nodeId,
  deletedFiles,
  deletedBytes,
  doneAtMs,
}: Receipt): WithdrawalView['nodes'][number] {
  return { id: nodeId, confirmed: true, deletedFiles, deletedBytes, doneAtMs };
}
