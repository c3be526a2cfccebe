import { setTimeout as sleep } from 'node:timers/promises';

import { InvoiceList } from '../../common/contract/billing.ts';
import { AccessTokenReply } from '../../common/contract/credentials.ts';
import { PlaybackSession } from '../../common/contract/playback.ts';
import { SignUpReply } from '../../common/contract/procedures.ts';
import { ProfileList } from '../../common/contract/profiles.ts';
import type { Rating } from '../../common/contract/viewing.ts';
import type { Answer, TestPlane } from '../control-plane/support/control-plane.ts';
import { pick } from './seeded.ts';
import type { ServicesJudge } from './services-judge.ts';

/** Somebody who watches, and all that was acknowledged to them. */
export interface Household {
  readonly account: string;
  readonly profileId: string;
  readonly device: string;
  token: string;
  sequence: number;
  /** When the viewing that goes on began. */
  startedAtMs: number;
  /** Of the viewing that goes on, by its id, and of those before it. */
  readonly positions: Map<string, number>;
  rating: Rating;
  minutes: number;
}

/** What was acknowledged to anybody. */
export interface Acknowledged {
  readonly households: Household[];
  /** Accounts with their subscriptions, as signing up has told them. */
  readonly subscriptions: Map<string, string>;
  /** Payments by their invoices. */
  readonly payments: Map<string, string>;
  plays: number;
  sessions: number;
}

/** The world that households live in. */
export interface Town {
  readonly plane: TestPlane;
  readonly titleId: string;
  readonly durationMs: number;
  readonly judge: ServicesJudge;
  readonly random: () => number;
  readonly known: Acknowledged;
  /** Numbers that no two things share. */
  next(): number;
}

const pauseMs = 25;
const tokenS = 3600;
/** Each viewing has so many reports. */
const reportsPerViewing = 20;
const untoldMax = 20;
export const priceMinor = 999;
const ratings = ['down', 'up', 'love'] as const;

const terms = { plan: 'basic', currency: 'EUR', country: 'DE', timeZone: 'Europe/Berlin' };

/** Signs somebody up; the account. Undefined where the soak ends before. */
async function signUp({ plane, judge, known, next }: Town): Promise<string | undefined> {
  const number = next();
  const person = {
    email: `viewer-${number}@example.com`,
    name: 'Zoë',
    password: 'seven grey elephants knit',
  };
  const headers = { 'idempotency-key': `sign-up-${number}` };
  const signed = await judge.doOnce('sign up', () =>
    plane.call('POST /v1/sign-ups', { headers, body: { ...person, ...terms } }),
  );
  if (signed === undefined) return undefined;
  const { account, subscription } = signed.as(SignUpReply);
  known.subscriptions.set(account, subscription);
  return account;
}

/** An operator subscribes somebody, whose first invoice is paid by hand. */
async function pay({ plane, judge, known, next }: Town): Promise<void> {
  const number = next();
  const account = `usr_by-hand-${number}`;
  const once = <Body>(route: `POST /${string}`, body: Body): Promise<Answer | undefined> =>
    judge.doOnce('pay', () =>
      plane.call(route, { headers: { 'idempotency-key': `${route} ${number}` }, body }),
    );
  const subscribed = await once('POST /v1/subscriptions', { account, ...terms });
  if (subscribed === undefined) return;
  known.subscriptions.set(account, (subscribed.json as { id: string }).id);
  const listed = await judge.doOnce('pay', () => plane.call(`GET /v1/invoices?account=${account}`));
  if (listed === undefined) return;
  const [invoice] = listed.as(InvoiceList).invoices;
  if (invoice === undefined) judge.failures.push(`${account} has no invoice`);
  else {
    const { id, open: amount, currency } = invoice;
    const paid = await once('POST /v1/payments', { invoice: id, amount, currency, reference: 'By hand' });
    if (paid !== undefined) known.payments.set(id, (paid.json as { id: string }).id);
  }
}

/** A household of its own, before anything is killed. */
export async function openHousehold(town: Town): Promise<void> {
  const { plane, known, next } = town;
  const account = await signUp(town);
  if (account === undefined) throw new Error(`nobody could sign up: ${town.judge.failures.join('\n')}`);
  const token = await tokenOf(plane, account);
  const [profile] = (await plane.call('GET /v1/profiles', { token })).as(ProfileList).profiles;
  known.households.push({
    ...{ account, token, profileId: profile?.id ?? '', device: `the-tv-${1000 + next()}` },
    ...{ sequence: 0, startedAtMs: 0, positions: new Map(), rating: 'none', minutes: 0 },
  });
}

async function tokenOf(plane: TestPlane, sub: string): Promise<string> {
  const made = await plane.call('POST /v1/access-tokens', { body: { role: 'viewer', sub, ttlS: tokenS } });
  return made.as(AccessTokenReply).token;
}

/** Sessions of which nothing was told yet, and the last of which something was: a viewer may play it again while none can be started. */
interface Untold {
  readonly tokens: string[];
  last: string | undefined;
  manifest: `/${string}` | undefined;
}

/** All that a household does, each thing by itself: what cannot be done now holds nothing else. */
export function live(town: Town, household: Household): Promise<void>[] {
  const { judge, plane } = town;
  const untold: Untold = { tokens: [], last: undefined, manifest: undefined };
  const ask = (kind: 'titles' | 'search' | 'rows', path: `/${string}`) => (): Promise<unknown> =>
    judge.doOnce(kind, () => plane.call(`GET ${path}`, { token: household.token }));
  return [
    ask('search', '/v1/search/titles?q=solaris'),
    ask('rows', '/v1/rows'),
    ask('titles', `/v1/titles/${town.titleId}`),
    () => play(town, household, untold),
    () => tell(town, untold),
    () => watch(town, untold),
    () => report(town, household),
    () => use(town, household),
  ].map(async (once) => {
    while (!judge.isStopped) {
      await once();
      await sleep(pauseMs);
    }
  });
}

/** New households and new bills, one after another, whether or not the other goes on. */
export function growOn(town: Town): Promise<void>[] {
  return [signUp, pay].map(async (once) => {
    while (!town.judge.isStopped) {
      await once(town);
      await sleep(10 * pauseMs);
    }
  });
}

async function play(town: Town, { token }: Household, untold: Untold): Promise<void> {
  const { plane, judge, titleId, known } = town;
  if (untold.tokens.length >= untoldMax) return;
  const started = await judge.doOnce('play', () =>
    plane.call('POST /v1/playback-sessions', { token, body: { titleId } }),
  );
  if (started === undefined) return;
  known.sessions++;
  const { hlsUrl, eventsToken } = started.as(PlaybackSession);
  untold.manifest = new URL(hlsUrl).pathname as `/${string}`;
  untold.tokens.push(eventsToken);
}

/** Fetches the manifest of the newest session, which outlives the process that made it. */
async function watch({ plane, judge }: Town, { manifest }: Untold): Promise<void> {
  if (manifest === undefined) return;
  const list = await judge.doOnce('manifest', () => plane.call(`GET ${manifest}`, { token: '' }));
  if (list !== undefined && !list.text.startsWith('#EXTM3U'))
    judge.failures.push(`a manifest is ${list.text}`);
}

/** A playback that began and ended: its events are counted once, however often they are told. */
async function tell({ plane, judge, known, next }: Town, untold: Untold): Promise<void> {
  const token = untold.tokens.shift() ?? untold.last;
  if (token === undefined) return;
  untold.last = token;
  const at = { timeMs: Date.now(), positionMs: 0, pathway: 'origin' };
  const id = String(next()).padStart(8, '0');
  const events = [
    { ...at, type: 'play', id: `play-${id}`, startMs: 200 },
    { ...at, type: 'end', id: `end-${id}` },
  ];
  const told = await judge.doOnce('events', () => plane.call('POST /v1/events', { token, body: { events } }));
  if (told === undefined) return;
  known.plays++;
  const { accepted, duplicates } = told.json as { accepted: number; duplicates: number };
  if (accepted + duplicates !== events.length) judge.failures.push(`events: ${told.text}`);
}

/** How far they are, and what they think of it. */
async function report(town: Town, household: Household): Promise<void> {
  const { plane, judge, titleId, durationMs, random } = town;
  const number = household.sequence++;
  const viewing = Math.floor(number / reportsPerViewing);
  const viewingId = `viewing-${String(viewing).padStart(8, '0')}`;
  // Neither at its beginning nor at its end: it is one to go on with.
  const positionMs = Math.floor(durationMs * (0.4 + 0.2 * random()));
  const rating = ratings[pick(random, ratings.length)] ?? 'up';
  const said = { titleId, atMs: Date.now(), sequence: number };
  if (number % reportsPerViewing === 0) household.startedAtMs = said.atMs;
  const { startedAtMs } = household;
  const progress = { ...said, kind: 'progress', viewingId, startedAtMs, positionMs, watchedMs: 0 };
  const body = {
    ...{ deviceId: household.device, sentAtMs: said.atMs },
    reports: [progress, { ...said, kind: 'rating', rating }],
  };
  const { token, profileId } = household;
  const told = await judge.doOnce('viewing', () =>
    plane.call(`POST /v1/profiles/${profileId}/viewing`, { token, body }),
  );
  if (told === undefined) return;
  if ((told.json as { accepted: number }).accepted !== 2) judge.failures.push(`viewing: ${told.text}`);
  household.positions.set(viewingId, positionMs);
  household.rating = rating;
}

async function use({ plane, judge, random, next }: Town, household: Household): Promise<void> {
  const quantity = 1 + pick(random, 100);
  const record = {
    ...{ id: `usage-${String(next()).padStart(8, '0')}`, account: household.account },
    ...{ metric: 'minutes', quantity, atMs: Date.now() },
  };
  const told: Answer | undefined = await judge.doOnce('usage', () =>
    plane.call('POST /v1/usage', { body: { records: [record] } }),
  );
  if (told === undefined) return;
  const { accepted, duplicates } = told.json as { accepted: number; duplicates: number };
  if (accepted + duplicates !== 1) judge.failures.push(`usage: ${told.text}`);
  household.minutes += quantity;
}
