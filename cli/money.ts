import { randomUUID } from 'node:crypto';
import { Option } from 'commander';
import type { UsageLine } from '../common/contract/meters.ts';
import type { Static, TSchema } from '../common/contract/type.ts';
import { amountText, parseAmount, type Money } from '../common/core/money.ts';
import { usedText } from '../common/core/quantity.ts';
import { coded, valueOf } from '../common/runtime/errors.ts';
import type { Api } from './api.ts';
import { csvOf } from './output/csv.ts';
import type { Output, TableView } from './output/output.ts';

const pageLength = 1000;

/** What a person writes for money: `9.99EUR`, `900 JPY`. AMOUNT_INVALID, CURRENCY_UNKNOWN. */
export function readMoney(text: string): Money {
  const match = /^(.*?)\s*([A-Z]{3})$/.exec(text.trim());
  if (match === null) throw coded('AMOUNT_INVALID', `${text} is no amount like 9.99EUR`);
  const [, amount = '', currency = ''] = match;
  return { amount: valueOf(parseAmount(amount, currency)), currency };
}

/** Money for people, as `readMoney` reads it. */
export function moneyText(amount: number, currency: string): string {
  return `${amountText(amount, currency)} ${currency}`;
}

/** What was used, with what of it is included and what it costs, for people. */
export function usageText(line: UsageLine, currency: string): string {
  return `${usedText(line)}: ${moneyText(line.amount, currency)}`;
}

/** A moment for people. */
export function timeText(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 16).replace('T', ' ');
}

/** The option of commands that move money. */
export function keyOption(): Option {
  return new Option(
    '--idempotency-key <key>',
    'the same key does the same once, also when it is asked again',
  );
}

/** Asks for what moves money. Under a key of its own where none was given. */
export function move<T extends TSchema>(
  api: Api,
  call: { path: string; body: unknown; reply: T; key: string | undefined },
): Promise<Static<T>> {
  const { path, body, reply, key = randomUUID() } = call;
  return api.call({ method: 'POST', path, body, reply, idempotencyKey: key });
}

/** Every item of a list that comes in pages. */
export async function allPages<T extends TSchema, Item>(
  api: Api,
  { path, reply, items }: { path: string; reply: T; items: (page: Static<T>) => readonly Item[] },
): Promise<Item[]> {
  const all: Item[] = [];
  let after = '';
  for (;;) {
    const joint = path.includes('?') ? '&' : '?';
    const page = await api.call({ path: `${path}${joint}limit=${pageLength}${after}`, reply });
    all.push(...items(page));
    const { next } = page as { next?: string | number };
    if (next === undefined) return all;
    after = `&after=${encodeURIComponent(String(next))}`;
  }
}

/** Prints facts as JSON, as CSV, or as a table. */
export function printRows(
  output: Output,
  facts: unknown,
  { csv, ...table }: TableView & { csv?: boolean | undefined },
): void {
  if (csv === true) output.raw(csvOf(table));
  else
    output.facts(facts, () => {
      output.table(table);
    });
}

/** A query of what was given. */
export function queryOf(fields: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}
