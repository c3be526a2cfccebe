import { readFile } from 'node:fs/promises';
import { Command } from 'commander';

import {
  CouponList,
  CouponView,
  PlanList,
  PlanView,
  TaxTable,
  type CouponRequest,
  type PlanPrice,
} from '../../common/contract/billing.ts';
import { Meter } from '../../common/contract/meters.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import { coded } from '../../common/runtime/errors.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import { moneyText, printRows, queryOf, readMoney, timeText } from '../money.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

const ppm = 1_000_000;

/** `nearcast plan list|set`. */
export function planCommand(shell: CommandShell): Command {
  const command = new Command('plan').description('what subscribers may subscribe to: list, set');
  command
    .command('list')
    .description('plans that are sold')
    .option('--all', 'also those that are not sold any more')
    .action(({ all }: { all?: true }) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/plans${queryOf({ archived: all && 'true' })}`;
        printPlans(output, (await api.call({ path, reply: PlanList })).plans);
      }),
    );
  command
    .command('set <id>')
    .description('put a plan, new or instead of the one of this name; subscribers keep their price')
    .requiredOption('--name <name>', 'how it is called')
    .requiredOption('--price <price...>', 'what it costs: 9.99EUR/month, 99EUR/year, 900JPY/3month')
    .option(
      '--meters <file>',
      'what is charged for what is used: JSON of lists of meters by price, named EUR/month, JPY/3month',
    )
    .option('--without-taxes', 'taxes come on top of the prices')
    .option('--height <lines>', 'the best picture', '1080')
    .option('--streams <count>', 'how many watch at once', '1')
    .option('--downloads', 'titles may be downloaded')
    .option('--trial-days <days>', 'free at first, once for each account', '0')
    .option('--archive', 'sell it no longer')
    .action((id: string, options: PlanOptions) =>
      shell.act(async ({ api, output }) => {
        const meters = options.meters === undefined ? {} : await readMeters(options.meters);
        const prices = options.price.map((text) => readPrice(text, options.withoutTaxes !== true));
        const body = {
          name: options.name,
          prices: withMeters(prices, meters),
          entitlements: {
            heightMax: Number(options.height),
            streamsMax: Number(options.streams),
            downloads: options.downloads === true,
          },
          trialDays: Number(options.trialDays),
          archived: options.archive === true,
        };
        const path = `/v1/plans/${encodeURIComponent(id)}`;
        printPlans(output, [await api.call({ method: 'PUT', path, body, reply: PlanView })]);
      }),
    );
  return command;
}

interface PlanOptions {
  name: string;
  price: string[];
  meters?: string;
  withoutTaxes?: true;
  height: string;
  streams: string;
  downloads?: true;
  trialDays: string;
  archive?: true;
}

const Meters = Type.Record(Type.String(), Type.Array(Meter, { minItems: 1 }));

/** Prices with their meters, which are named by currency and interval; all of them have to be of a price. */
function withMeters(prices: readonly PlanPrice[], meters: Static<typeof Meters>): PlanPrice[] {
  const names = prices.map(({ currency, interval }) => `${currency}/${intervalText(interval)}`);
  const unknown = Object.keys(meters).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw coded('INVALID', `--meters: there is no price ${unknown}, but ${names.join(', ')}`);
  return prices.map((price, index) => {
    const used = meters[names[index] ?? ''];
    return used === undefined ? price : { ...price, meters: used };
  });
}

async function readMeters(file: string): Promise<Static<typeof Meters>> {
  return parseJsonAs(Meters, await readText(file), { what: file });
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw coded('INVALID', { detail: `${file} cannot be read`, cause });
  });
}

function readPrice(text: string, taxInclusive: boolean): PlanPrice {
  const match = /^(.+)\/(\d{0,2})(week|month|year)$/.exec(text);
  if (match === null) throw coded('INVALID', `--price: ${text} is no price like 9.99EUR/month`);
  const [, money = '', count = '', unit = ''] = match;
  const interval = { unit: unit as PlanPrice['interval']['unit'], count: Number(count || '1') };
  return { ...readMoney(money), interval, taxInclusive };
}

/** A price for people, as `--price` takes it, and for what more is charged. */
export function priceText({ amount, currency, interval, meters = [] }: PlanPrice): string {
  const more = meters.map(({ metric }) => ` + ${metric}`).join('');
  return `${moneyText(amount, currency)}/${intervalText(interval)}${more}`;
}

function intervalText({ unit, count }: PlanPrice['interval']): string {
  return `${count === 1 ? '' : count}${unit}`;
}

function printPlans(output: Output, plans: readonly PlanView[]): void {
  printRows(output, plans, {
    head: ['id', 'name', 'prices', 'picture', 'streams', 'downloads', 'trial', 'sold'],
    rows: plans.map(({ id, name, prices, entitlements, trialDays, archived }) => [
      ...[
        id,
        name,
        prices.map(priceText).join(', '),
        `${entitlements.heightMax}p`,
        String(entitlements.streamsMax),
      ],
      ...[entitlements.downloads ? 'yes' : 'no', `${trialDays} d`, archived ? 'no' : 'yes'],
    ]),
    empty: 'No plans yet. `nearcast plan set ID --name NAME --price 9.99EUR/month` puts one.',
  });
}

interface CouponOptions {
  percent?: string;
  amount?: string;
  invoices?: string;
  max?: string;
  until?: string;
}

/** `nearcast coupon list|set`. */
export function couponCommand(shell: CommandShell): Command {
  const command = new Command('coupon').description('what is taken off invoices: list, set');
  command
    .command('list')
    .description('coupons, and how often each was redeemed')
    .action(() =>
      shell.act(async ({ api, output }) => {
        printCoupons(output, (await api.call({ path: '/v1/coupons', reply: CouponList })).coupons);
      }),
    );
  command
    .command('set <id>')
    .description('put a coupon; who has redeemed it keeps what it said then')
    .option('--percent <percent>', 'take off a part: 50, 33.3333')
    .option('--amount <amount>', 'take off an amount: 5EUR')
    .option('--invoices <count>', 'off so many invoices of a subscription (forever)')
    .option('--max <count>', 'for so many subscriptions (any number)')
    .option('--until <time>', 'to be redeemed before, like 2026-12-24T00:00Z')
    .action((id: string, options: CouponOptions) =>
      shell.act(async ({ api, output }) => {
        const path = `/v1/coupons/${encodeURIComponent(id)}`;
        const body = couponOf(options);
        printCoupons(output, [await api.call({ method: 'PUT', path, body, reply: CouponView })]);
      }),
    );
  return command;
}

function couponOf({ percent, amount, invoices, max, until }: CouponOptions): CouponRequest {
  if ((percent === undefined) === (amount === undefined))
    throw coded('INVALID', 'say --percent or --amount, one of them');
  const untilMs = until === undefined ? undefined : Date.parse(until);
  if (Number.isNaN(untilMs)) throw coded('INVALID', `--until: ${String(until)} is no time`);
  return {
    off:
      amount === undefined
        ? { kind: 'part', partPpm: Math.round((Number(percent) * ppm) / 100) }
        : { kind: 'amount', ...readMoney(amount) },
    ...(invoices !== undefined && { invoices: Number(invoices) }),
    ...(max !== undefined && { redemptionsMax: Number(max) }),
    ...(untilMs !== undefined && { redeemBeforeMs: untilMs }),
  };
}

function printCoupons(output: Output, coupons: readonly CouponView[]): void {
  printRows(output, coupons, {
    head: ['id', 'off', 'invoices', 'redeemed', 'until'],
    rows: coupons.map(({ id, off, invoices, redemptions, redemptionsMax, redeemBeforeMs }) => [
      id,
      off.kind === 'part' ? `${off.partPpm / 10_000} %` : moneyText(off.amount, off.currency),
      invoices === undefined ? 'all' : String(invoices),
      redemptionsMax === undefined ? String(redemptions) : `${redemptions} of ${redemptionsMax}`,
      redeemBeforeMs === undefined ? '–' : timeText(redeemBeforeMs),
    ]),
    empty: 'No coupons yet. `nearcast coupon set ID --percent 50 --invoices 3` puts one.',
  });
}

/** `nearcast tax list|set`. */
export function taxCommand(shell: CommandShell): Command {
  const command = new Command('tax').description('the table of taxes: list, set');
  command
    .command('list')
    .description('the taxes of each place, from when on')
    .action(() =>
      shell.act(async ({ api, output }) => {
        printTaxes(output, await api.call({ path: '/v1/taxes', reply: TaxTable }));
      }),
    );
  command
    .command('set <file>')
    .description('put the whole table from a JSON file, as `--json tax list` prints it')
    .action((file: string) =>
      shell.act(async ({ api, output }) => {
        const body = parseJsonAs(TaxTable, await readText(file), { what: file });
        printTaxes(output, await api.call({ method: 'PUT', path: '/v1/taxes', body, reply: TaxTable }));
      }),
    );
  return command;
}

function printTaxes(output: Output, table: TaxTable): void {
  printRows(output, table, {
    head: ['country', 'region', 'from', 'taxes'],
    rows: table.rows.map(({ country, region, validFromMs, taxes }) => [
      ...[country, region ?? '–', timeText(validFromMs)],
      taxes.map(({ name, ratePpm }) => `${name} ${ratePpm / 10_000} %`).join(', '),
    ]),
    empty: 'No taxes: prices are what is paid.',
  });
}
