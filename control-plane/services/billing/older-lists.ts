import { setImmediate } from 'node:timers/promises';
import type { Batch } from './batch.ts';
import type { Desk } from './desk.ts';
import { creditNoteSeries } from './invoices.ts';
import { ordered, type BillingRecords } from './records.ts';

const pageLength = 500;

/**
 * Makes a function that writes payments and credit notes of a version without lists by account into these lists, and resolves when all are
 * there. A commit takes a page of them and how far it came, so that a crash repeats nothing but the page under way; once all are there it is
 * one read, then none.
 */
export function openOlderLists({
  records,
  desk,
}: {
  records: BillingRecords;
  desk: Desk;
}): () => Promise<void> {
  let isDone = false;
  return async () => {
    for (; !isDone; await setImmediate()) {
      const known = (await records.listed.get('all'))?.value;
      isDone = known?.isDone === true || (await desk.book((batch) => listMore(batch, records)));
    }
  };
}

/** Lists a page more; gives whether none was left. */
async function listMore(batch: Batch, records: BillingRecords): Promise<boolean> {
  const { books, listed, payments, paymentsOf, creditNotesOf } = records;
  const { paymentsTo, notesTo } = (await listed.get('all'))?.value ?? { notesTo: 0 };
  const paid = await payments.scan({ after: paymentsTo, limit: pageLength });
  const notes = await books.papers(creditNoteSeries, { after: notesTo, limit: pageLength });
  for (const { key, value } of paid)
    batch.change(paymentsOf.putOperation(`${value.account}:${key}`, { id: key }));
  for (const { id, number, value } of notes) {
    const { account } = value as { account: string };
    batch.change(creditNotesOf.putOperation(`${account}:${ordered(number)}`, { id }));
  }
  const isDone = paid.length + notes.length === 0;
  const last = paid.at(-1)?.key ?? paymentsTo;
  const to = { ...(last !== undefined && { paymentsTo: last }), notesTo: notes.at(-1)?.number ?? notesTo };
  batch.change(listed.putOperation('all', { ...to, isDone }));
  return isDone;
}
