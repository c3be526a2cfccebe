import t from 'tap';

import type { PlayerEvent } from '../../../../common/contract/playback.ts';
import { playExpiryS } from '../../../../common/core/tokens/delivery-token.ts';
import { call, type Answer } from '../../support/call.ts';
import { openLab, type EventsLab } from '../../support/events-lab.ts';
import { asRole, fakeDeliveryToken } from '../../support/fake-credentials.ts';
import { fileNamed } from '../../support/sample-bundle.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** A player of a session of a film of 90 minutes. */
function playerOf(lab: EventsLab, session = '0123456789abcdef'.repeat(2)) {
  const nowMs = lab.clock.nowMs();
  const token = fakeDeliveryToken({
    ...{ scope: 'play', session, bundle: fileNamed('bundle') },
    ...{ issuedAtS: Math.floor(nowMs / 1000), expiresAtS: playExpiryS(90 * minuteMs, nowMs) },
  });
  const authorization = `Bearer ${token}`;
  return {
    token,
    send: (events: readonly Partial<PlayerEvent>[], headers: Record<string, string> = {}): Promise<Answer> =>
      call(`${lab.url}/v1/events`, {
        headers: { authorization, ...headers },
        json: { events: events.map((event, at) => eventOf(lab, `event-${1000 + at}`, event)) },
      }),
    cmcd: (body: string, path = ''): Promise<Answer> =>
      call(`${lab.url}/v1/events${path}`, {
        headers: { 'content-type': 'application/cmcd', ...(path === '' && { authorization }) },
        bytes: Buffer.from(body),
      }),
  };
}

function eventOf(lab: EventsLab, id: string, more: Partial<PlayerEvent>): PlayerEvent {
  return { id, timeMs: lab.clock.nowMs(), type: 'progress', positionMs: 4000, ...more };
}

async function told(lab: EventsLab): Promise<Record<string, unknown>[]> {
  const { events } = await lab.events.read(0);
  return events.map(({ data }) => data as Record<string, unknown>);
}

t.test(
  'events that cannot be right are left out, each with its reason; the rest of the batch counts',
  async (t) => {
    const lab = await openLab(t, { still: true });
    const nowMs = lab.clock.nowMs();
    const answer = await playerOf(lab).send([
      { timeMs: nowMs },
      { timeMs: nowMs + 4 * minuteMs },
      { timeMs: nowMs + 6 * minuteMs },
      { timeMs: nowMs - dayMs },
      { timeMs: nowMs - 8 * dayMs },
      { positionMs: 91 * minuteMs },
      { positionMs: 95 * minuteMs },
    ]);
    t.strictSame(answer.body, {
      ...{ accepted: 4, duplicates: 0 },
      refused: [
        { id: 'event-1002', reason: 'future' },
        { id: 'event-1004', reason: 'old' },
        { id: 'event-1006', reason: 'position' },
      ],
    });
    t.equal((await lab.events.status()).lastOffset, 4);
  },
);

t.test('a flood by one client is capped and harms nobody else', async (t) => {
  const lab = await openLab(t, { still: true, options: { clientEventsBurst: 3, clientEventsPerSecond: 1 } });
  const [loud, other] = [playerOf(lab), playerOf(lab, 'ab'.repeat(16))];
  t.match(await loud.send([{}, {}, {}]), { status: 200 });
  t.match(await loud.send([{}]), { status: 429, body: { code: 'RATE_LIMITED' } });
  t.match(await other.send([{}]), { status: 200, body: { accepted: 1 } });
  await lab.clock.advance(1000);
  t.match(await loud.send([{ id: 'event-2000' }]), { status: 200, body: { accepted: 1 } });
});

t.test('what gives no event costs too, and is not told of when it is above the cap', async (t) => {
  const lab = await openLab(t, { still: true, options: { clientEventsBurst: 6, clientEventsPerSecond: 1 } });
  const player = playerOf(lab);
  const muted = `e=m,ts=${lab.clock.nowMs()}`;
  const none = { status: 200, body: { accepted: 0, duplicates: 0 } };
  t.match(await player.cmcd(Array<string>(3).fill(muted).join('\n')), none);
  t.match(await player.cmcd('\n\n\n'), none);
  t.match(await player.cmcd('((('), { status: 400 });
  t.match(await player.cmcd('((('), { status: 400 });
  t.match(await player.cmcd('((('), { status: 429, body: { code: 'RATE_LIMITED' } });
  t.match(await player.cmcd(muted), { status: 429 });
  t.equal(lab.reported.length, 2);
});

t.test('sessions of one address have a cap together, and what is refused takes nothing of it', async (t) => {
  const options = { clientEventsBurst: 3, clientEventsPerSecond: 1 };
  const network = { networkEventsBurst: 6, networkEventsPerSecond: 2 };
  const lab = await openLab(t, { still: true, options: { ...options, ...network } });
  const [loud, second, third] = ['aa', 'bb', 'cc'].map((two) => playerOf(lab, two.repeat(16)));
  t.match(await loud?.send([{}, {}, {}]), { status: 200 });
  for (let count = 0; count < 5; count++) t.match(await loud?.send([{}, {}, {}]), { status: 429 });
  t.match(await second?.send([{}, {}]), { status: 200 }, 'a loud session takes nothing from its neighbours');
  t.match(await third?.send([{}, {}]), { status: 429, body: { detail: /one network/ } });
  t.match(await third?.send([{}]), { status: 200 });
  t.match(await playerOf(lab, 'dd'.repeat(16)).send([{}]), { status: 429 }, 'sessions are free');
  await lab.clock.advance(1000);
  t.match(await third?.send([{ id: 'event-2000' }, { id: 'event-2001' }]), { status: 200 });
});

t.test('a session has ended when a new event says so, and not before', async (t) => {
  const lab = await openLab(t, { still: true });
  const player = playerOf(lab);
  const nowMs = lab.clock.nowMs();
  const ended = async (...events: Partial<PlayerEvent>[]) => {
    lab.reported.length = 0;
    t.match(await player.send(events), { status: 200 });
    return lab.reported.map(({ hasEnded }) => hasEnded);
  };
  t.strictSame(await ended({ id: 'event-0001', type: 'end', timeMs: nowMs + 6 * minuteMs }), []);
  t.strictSame(await ended({ id: 'event-0002', type: 'end', timeMs: nowMs - 8 * dayMs }), []);
  t.strictSame(await ended({ id: 'event-0003' }, { id: 'event-0004', type: 'end' }), [true]);
  t.strictSame(await ended({ id: 'event-0004', type: 'end' }), [], 'it is known');
  t.strictSame(await ended({ id: 'event-0005', type: 'end' }, { id: 'event-0006' }), [false]);
  t.strictSame(await ended({ id: 'event-0006' }), [false], 'who repeats itself plays');
});

t.test('the cap of an account is its own, too', async (t) => {
  const lab = await openLab(t, { still: true, options: { clientEventsBurst: 1, clientEventsPerSecond: 1 } });
  const send = (id: string, role: 'viewer' | 'operator') =>
    call(`${lab.url}/v1/events`, { headers: asRole(role), json: { events: [eventOf(lab, id, {})] } });
  t.match(await send('event-0001', 'viewer'), { status: 200 });
  t.match(await send('event-0002', 'viewer'), { status: 429 });
  t.match(await send('event-0003', 'operator'), { status: 200 });
});

t.test(
  'viewers are where their route leads, else where their pathway is; devices are told coarsely',
  async (t) => {
    const lab = await openLab(t, { still: true, viewersSite: 'isp-b' });
    const phone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148';
    await playerOf(lab).send([{ pathway: 'isp-a-1' }, {}], { 'user-agent': phone });
    const [first, second] = await told(lab);
    t.match(first, { site: 'isp-b', device: 'phone', bundle: fileNamed('bundle') });
    t.match(second, { site: 'isp-b', device: 'phone' });
  },
);

t.test(
  'CMCD event reports are events: by header or by the token in the path, again without counting twice',
  async (t) => {
    const lab = await openLab(t, { still: true });
    const player = playerOf(lab);
    const at = (ms: number) => lab.clock.nowMs() - 60_000 + ms;
    const body = [
      `e=ps,sta=p,msd=420,sid="viewer-42",sn=1,ts=${at(0)},v=2`,
      `e=t,sta=p,pt=30000,br=(5000;v 128;a),mtp=(25400),sn=2,ts=${at(30_000)},v=2`,
      `e=ps,sta=r,bsd=(800),sn=3,ts=${at(31_000)},v=2`,
      'this is no structured dictionary (((',
    ].join('\n');
    t.match(await player.cmcd(body), { status: 200, body: { accepted: 3, duplicates: 0 } });
    t.match(await player.cmcd(body, `/${player.token}`), {
      status: 200,
      body: { accepted: 0, duplicates: 3 },
    });
    const [play, progress, stall] = await told(lab);
    t.match(play, { type: 'play', startMs: 420, session: '0123456789abcdef'.repeat(2) });
    t.match(progress, {
      ...{ type: 'progress', positionMs: 30_000, playedMs: 30_000 },
      ...{ bitrateBps: 5_000_000, throughputBps: 25_400_000 },
    });
    t.match(stall, { type: 'stall', stallMs: 800, playedMs: 1000 });
    t.notMatch(JSON.stringify(await told(lab)), /viewer-42/, 'what a player calls its session stays out');
    const later = `e=t,sta=p,ts=${at(40_000)},sn=4,v=2`;
    t.match(await player.cmcd(later), { body: { accepted: 1 } });
    t.notOk('playedMs' in ((await told(lab))[3] ?? {}), 'it stood still since');
  },
);

t.test('what is no CMCD is refused, and so is a token of another kind in the path', async (t) => {
  const lab = await openLab(t, { still: true });
  const player = playerOf(lab);
  for (const body of ['(((', 'br=5000', `e=t,ts=-5`, 'e=UPPER,ts=5'])
    t.match(await player.cmcd(body), { status: 400, body: { code: 'INVALID' } }, body);
  const bare = { method: 'POST', headers: { authorization: `Bearer ${player.token}` } } as const;
  t.match(await call(`${lab.url}/v1/events`, bare), { status: 400, body: { code: 'INVALID' } });
  t.match(await call(`${lab.url}/v1/events/${player.token}`, { method: 'POST' }), { status: 400 });
  t.match(await player.cmcd('e=t,ts=5', '/nonsense'), { status: 403 });
  const steer = fakeDeliveryToken({ scope: 'steer', session: 'ab'.repeat(16), issuedAtS: 0, expiresAtS: 1 });
  t.match(await player.cmcd('e=t,ts=5', `/${steer}`), { status: 403 });
  t.equal((await lab.events.status()).lastOffset, 0);
});

t.test('rows push out no players’ ids, and all places of a row take the room of one', async (t) => {
  const titles = Array.from({ length: 50 }, (_, at) => ({ titleId: `title_${at}`, propensity: 1 }));
  const lab = await openLab(t, {
    still: true,
    options: { knownIdsMax: 2 },
    tickets: { 'a.ticket': { row: 'top', model: undefined, titles } },
  });
  const player = playerOf(lab);
  const event = eventOf(lab, 'event-0001', {});
  const row = { type: 'impression' as const, ticket: 'a.ticket', places: titles.map((_, at) => at) };
  const nowMs = lab.clock.nowMs();
  const send = async (one: object): Promise<unknown> => {
    const json = { events: [{ timeMs: nowMs, ...one }] };
    const headers = { authorization: `Bearer ${player.token}` };
    return (await call(`${lab.url}/v1/events`, { headers, json })).body;
  };
  const once = { accepted: 1, duplicates: 0 };
  const again = { accepted: 0, duplicates: 1 };
  t.strictSame(await send(event), once);
  t.strictSame(await send({ ...row, id: 'impression-1', places: [49, 0] }), once);
  t.strictSame(await send({ ...row, id: 'impression-2' }), once, 'the other 48');
  for (const place of [0, 1, 31, 32, 48, 49])
    t.strictSame(await send({ ...row, id: `place-00${place}`, places: [place] }), again);
  const choice = { ...row, type: 'choice', places: [49] };
  t.strictSame(await send({ ...choice, id: 'choice-01' }), once);
  t.strictSame(await send({ ...choice, id: 'choice-02' }), again);
  t.strictSame(await send(event), again, 'an id of a player is known after all of this');
});
