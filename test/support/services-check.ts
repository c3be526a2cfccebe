import { InvoiceList, PaymentList, SubscriptionList } from '../../common/contract/billing.ts';
import { EventLogView } from '../../common/contract/event-log-view.ts';
import { QoeReport } from '../../common/contract/qoe.ts';
import { TitleSearchReply } from '../../common/contract/search.ts';
import { StatusView } from '../../common/contract/status.ts';
import { UsageSums } from '../../common/contract/usage.ts';
import { ContinueWatching, Ratings, ViewingHistory } from '../../common/contract/viewing.ts';
import type { Answer } from '../control-plane/support/control-plane.ts';
import { until } from '../control-plane/support/until.ts';
import type { Household, Town } from './services-households.ts';

const pageMax = 1000;

/** What of that which was acknowledged is lost, or there twice: a sentence each. Nothing else must go on meanwhile. */
export async function checkTown(town: Town): Promise<string[]> {
  const faults: string[] = [];
  for (const household of town.known.households) faults.push(...(await checkHousehold(town, household)));
  faults.push(...(await checkMoney(town)), ...(await checkEvents(town)));
  const found = await town.plane.call('GET /v1/search/titles?q=solaris');
  const hits = found.as(TitleSearchReply).hits.map(({ id }) => id);
  if (hits.join() !== town.titleId) faults.push(`search finds ${hits.join(', ')}`);
  return faults;
}

async function checkHousehold({ plane, titleId }: Town, household: Household): Promise<string[]> {
  const { account, token, profileId, positions, rating, minutes } = household;
  const faults: string[] = [];
  const hold = (what: string, is: unknown, wanted: unknown): void => {
    if (is !== wanted) faults.push(`${account}: ${what} is ${String(is)}, not ${String(wanted)}`);
  };
  const read = (what: string): Promise<Answer> =>
    plane.call(`GET /v1/profiles/${profileId}/${what}`, { token });
  const { titles } = (await read('continue-watching')).as(ContinueWatching);
  hold('where it goes on', titles.map(({ positionMs }) => positionMs).join(), String([...positions.values()].at(-1) ?? '')); // prettier-ignore
  const rated = (await read('ratings')).as(Ratings).ratings.filter((one) => one.titleId === titleId);
  hold('its rating', rated.map((one) => one.rating).join(), rating);
  const { viewings } = (await read('history?limit=500')).as(ViewingHistory);
  hold('the number of its viewings', viewings.length, Math.min(positions.size, 500));
  for (const { viewingId, positionMs } of viewings) hold(viewingId, positionMs, positions.get(viewingId));
  const { sums } = (await plane.call(`GET /v1/usage?account=${account}`)).as(UsageSums);
  hold('what it has used', sums.reduce((sum, { quantity }) => sum + quantity, 0), minutes); // prettier-ignore
  return faults;
}

/** Every subscription and every payment is there once, and the books agree with themselves. */
async function checkMoney({ plane, known }: Town): Promise<string[]> {
  const faults: string[] = [];
  for (const [account, id] of known.subscriptions) {
    const { subscriptions } = (await plane.call(`GET /v1/subscriptions?account=${account}`)).as(SubscriptionList); // prettier-ignore
    const ids = subscriptions.map((one) => one.id).join();
    if (ids !== id) faults.push(`${account} has the subscriptions ${ids}, not ${id}`);
    const { invoices } = (await plane.call(`GET /v1/invoices?account=${account}`)).as(InvoiceList);
    if (invoices.length !== 1) faults.push(`${account} has ${invoices.length} invoices`);
  }
  const paid = new Map<string, string[]>();
  let after: string | undefined = '';
  while (after !== undefined) {
    const from = after === '' ? '' : `&after=${after}`;
    const page: PaymentList = (await plane.call(`GET /v1/payments?limit=${pageMax}${from}`)).as(PaymentList);
    for (const { id, invoice = 'none' } of page.payments)
      paid.set(invoice, [...(paid.get(invoice) ?? []), id]);
    after = page.next;
  }
  for (const [invoice, ids] of paid)
    if (ids.length !== 1) faults.push(`${invoice} was paid ${ids.length} times`);
  for (const [invoice, id] of known.payments)
    if (paid.get(invoice)?.join() !== id) faults.push(`the payment ${id} of ${invoice} is lost`);
  const books = await plane.call('GET /v1/ledger/verify');
  const { faults: wrong = [books.text] } = books.json as { faults?: string[] };
  return [...faults, ...wrong.map((one) => `the ledger: ${one}`)];
}

/** Every playback that was told of is counted, and once; sessions that were started are known. */
async function checkEvents({ plane, known }: Town): Promise<string[]> {
  const faults: string[] = [];
  const isLearned = ({ lastOffset, consumers }: EventLogView): boolean =>
    consumers.every(({ offset }) => offset === lastOffset);
  await until(async () => (await plane.call('GET /v1/events/log')).as(EventLogView), isLearned);
  const { rows } = (await plane.call('GET /v1/reports/qoe?by=title&days=2')).as(QoeReport);
  const plays = rows.reduce((sum, row) => sum + row.plays, 0);
  if (plays !== known.plays) faults.push(`${plays} playbacks are counted, not ${known.plays}`);
  const { sessionsToday } = (await plane.call('GET /v1/status')).as(StatusView);
  if (Number(sessionsToday) < known.sessions)
    faults.push(`${String(sessionsToday)} sessions are known, not ${known.sessions}`);
  return faults;
}
