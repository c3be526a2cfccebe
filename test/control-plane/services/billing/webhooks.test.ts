import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import type { LookupAddress } from 'node:dns';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';

import { redeliveryWaitMs } from '../../../../control-plane/services/billing/core/webhook-signature.ts';
import {
  createWebhookPost,
  type LookUpAll,
} from '../../../../control-plane/services/billing/post-webhook.ts';
import { openBillingLab, planOf, subscriptionOf } from '../../support/billing-lab.ts';
import { until } from '../../support/until.ts';

const startMs = Date.UTC(2026, 0, 31, 11);
const anna = 'usr_anna-0001';

function drip(reply: ServerResponse): void {
  const timer = setInterval(() => reply.write('.'), 10);
  reply.on('close', () => {
    clearInterval(timer);
  });
}

/** A program that is told. */
async function startListener(t: Test) {
  const heard: { headers: IncomingHttpHeaders; body: string; type: string }[] = [];
  /** Destroys the connection at 0, never answers at -1, and answers byte by byte without an end at -2. */
  const answers = { status: 200 };
  const server = createServer((request, reply) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      heard.push({ headers: request.headers, body, type: (JSON.parse(body) as { type: string }).type });
      if (answers.status === 0) reply.destroy();
      else if (answers.status === -2) drip(reply);
      else if (answers.status > 0) reply.writeHead(answers.status, { location: '/elsewhere' }).end('thanks');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { heard, answers, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks` };
}

const networks = ['127.0.0.0/8'];

async function openLab(t: Test, limits: { timeoutMs?: number } = {}) {
  const { post, close } = createWebhookPost({ networks, ...limits });
  t.teardown(close);
  const lab = await openBillingLab(t, { startMs, post });
  await lab.billing.offers.putPlan('basic', planOf(999));
  let asked = 0;
  const subscribe = (account = anna) => {
    const ask = { caller: anna, key: `key-${asked++}`, request: [] };
    return lab.billing.once(ask, (batch) => lab.billing.subscriptions.add(batch, subscriptionOf(account)));
  };
  /** Sends what is due, to the end. */
  const sendAll = async (): Promise<void> => {
    await lab.billing.webhooks.begin();
    await lab.billing.webhooks.ended();
  };
  return { ...lab, subscribe, sendAll };
}

t.test('what is booked is told, signed, to those who want it', async (t) => {
  const { billing, clock, subscribe, sendAll } = await openLab(t);
  const [all, some] = [await startListener(t), await startListener(t)];
  const { secret = '' } = await billing.webhooks.put('all', { url: all.url });
  t.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  await billing.webhooks.put('some', { url: some.url, types: ['invoice.issued'] });
  t.equal((await billing.webhooks.put('all', { url: all.url })).secret, undefined, 'shown once');
  const { id } = await subscribe();
  await t.rejects(subscribe(), { code: 'SUBSCRIPTION_EXISTS' });
  t.match(await billing.webhooks.list(), [
    { id: 'all', waiting: 3, dead: 0 },
    { id: 'some', waiting: 1 },
  ]);
  await sendAll();
  t.strictSame(all.heard.map(({ type }) => type).sort(), [
    'invoice.issued',
    'subscription.changed',
    'subscription.created',
  ]);
  t.strictSame(
    some.heard.map(({ type }) => type),
    ['invoice.issued'],
  );
  const said = all.heard.find(({ type }) => type === 'subscription.created');
  t.strictSame(JSON.parse(said?.body ?? ''), {
    ...{ type: 'subscription.created', timestamp: '2026-01-31T11:00:00.000Z' },
    data: { account: anna, subscription: id, plan: 'basic' },
  });
  for (const { headers, body } of all.heard) {
    const { 'webhook-id': event, 'webhook-timestamp': atS, 'webhook-signature': signature } = headers;
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    const wanted = createHmac('sha256', key)
      .update(`${String(event)}.${String(atS)}.${body}`)
      .digest('base64');
    t.equal(signature, `v1,${wanted}`);
    t.equal(Number(atS), clock.nowMs() / 1000);
  }
  await sendAll();
  t.equal(all.heard.length, 3, 'what was taken is not sent again');
});

t.test('what nobody takes is sent again under its id, given up, and sent again by hand', async (t) => {
  const { billing, clock, subscribe, sendAll } = await openLab(t);
  const listener = await startListener(t);
  const other = await startListener(t);
  await billing.webhooks.put('down', { url: listener.url, types: ['invoice.issued'] });
  await billing.webhooks.put('up', { url: other.url, types: ['invoice.issued'] });
  await subscribe();
  for (const status of [500, 0, 302, 400]) {
    listener.answers.status = status;
    await sendAll();
    await clock.advance(12 * 60_000);
  }
  t.equal(other.heard.length, 1, 'the other hears of it all the same');
  t.equal(new Set(listener.heard.map(({ headers }) => headers['webhook-id'])).size, 1, 'one id for all');
  const tries = () => listener.heard.length;
  t.equal(tries(), 4);
  for (let hour = 0; hour < 60; hour++) {
    await clock.advance(3_600_000);
    await sendAll();
  }
  t.equal(tries(), 10, 'ten times in two days');
  t.match(await billing.webhooks.list(), [{ id: 'down', waiting: 0, dead: 1 }, { dead: 0 }]);
  const [letter] = await billing.webhooks.deadLetters('down');
  t.match(letter, { type: 'invoice.issued', tries: 10, failure: 'it answered 400' });
  listener.answers.status = 204;
  t.equal(await billing.webhooks.retry('down'), 1);
  await sendAll();
  t.equal(listener.heard.at(-1)?.headers['webhook-id'], letter?.event);
  t.strictSame(await billing.webhooks.deadLetters('down'), []);

  listener.answers.status = 500;
  await subscribe('usr_berta-01');
  await sendAll();
  await billing.webhooks.remove('down');
  await clock.advance(60_000);
  await sendAll();
  t.equal(tries(), 12, 'what is removed is sent nothing any more');
  await t.rejects(billing.webhooks.remove('down'), { code: 'WEBHOOK_UNKNOWN' });
  await t.rejects(billing.webhooks.retry('down'), { code: 'WEBHOOK_UNKNOWN' });
  for (let index = 0; index < 7; index++) await billing.webhooks.put(`more-${index}`, { url: other.url });
  await t.rejects(billing.webhooks.put('many', { url: other.url }), { code: 'WEBHOOKS_TOO_MANY' });
});

t.test('one that never answers holds no other', async (t) => {
  const { billing, clock, subscribe } = await openLab(t, { timeoutMs: 600_000 });
  const [silent, up] = [await startListener(t), await startListener(t)];
  silent.answers.status = -1;
  await billing.webhooks.put('silent', { url: silent.url, types: ['invoice.issued'] });
  await billing.webhooks.put('up', { url: up.url, types: ['invoice.issued'] });
  const stop = new AbortController();
  const watching = billing.watch(stop.signal);
  for (const [index, account] of [anna, 'usr_berta-01'].entries()) {
    await subscribe(account);
    const heard = async () => {
      await clock.advance(5000);
      return up.heard.length;
    };
    t.equal(await until(heard, (count) => count > index), index + 1);
  }
  await until(
    () => silent.heard.length,
    (count) => count > 0,
  );
  t.match(await billing.webhooks.list(), [{ id: 'silent', waiting: 2, dead: 0 }, { id: 'up' }]);
  stop.abort();
  await watching;
  t.match(await billing.webhooks.list(), [{ id: 'silent', waiting: 2, dead: 0 }, { id: 'up' }]);
});

t.test(
  'what was taken is taken, however the rest of the answer comes; what is not answered in time is not',
  async (t) => {
    const { post, close } = createWebhookPost({ timeoutMs: 500, networks });
    t.teardown(close);
    const listener = await startListener(t);
    listener.answers.status = -2;
    const told = { headers: {}, body: '{"type":"invoice.issued"}', signal: undefined };
    t.equal(await post(listener.url, told), 200);
    listener.answers.status = -1;
    await t.rejects(post(listener.url, told), { name: 'TimeoutError' });
  },
);

t.test('nothing is sent to what is not public, whatever a name stands for when', async (t) => {
  const listener = await startListener(t);
  const port = new URL(listener.url).port;
  const told = { headers: {}, body: '{"type":"invoice.issued"}', signal: undefined };
  const names: string[] = [];
  let addresses: LookupAddress[] = [];
  const lookUpAll: LookUpAll = (name, _options, done) => {
    names.push(name);
    done(null, addresses);
  };
  const closed = createWebhookPost({ networks: [], lookUpAll });
  const open = createWebhookPost({ networks: ['127.0.0.0/8', 'fd00::/8'], lookUpAll });
  t.teardown(() => Promise.all([closed.close(), open.close()]));
  const refused = { code: 'WEBHOOK_ADDRESS_REFUSED' };
  for (const host of [
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '169.254.169.254',
    '[fe80::1]',
  ])
    await t.rejects(closed.post(`http://${host}:${port}/`, told), refused, host);
  t.strictSame(names, []);
  const url = `http://hooks.example:${port}/`;
  // The name stood for a public address when it was put; now it does not.
  for (const address of [
    '127.0.0.1',
    '10.1.2.3',
    '192.168.0.1',
    '::ffff:10.0.0.1',
    'fd00::1',
    'fe80::1%eth0',
    '64:ff9b::7f00:1',
  ]) {
    addresses = [{ address, family: address.includes(':') ? 6 : 4 }];
    await t.rejects(closed.post(url, told), refused, address);
  }
  t.equal(listener.heard.length, 0);
  addresses = [
    { address: '10.1.2.3', family: 4 },
    { address: '127.0.0.1', family: 4 },
  ];
  t.equal(await open.post(url, told), 200, 'of several addresses those that may be');
  await t.rejects(open.post('http://10.1.2.3:1/', told), refused);
});

t.test('waits grow, and end', async (t) => {
  const waits = Array.from({ length: 9 }, (_, index) => redeliveryWaitMs(index + 1, 0) ?? 0);
  t.strictSame(
    waits,
    waits.toSorted((one, other) => one - other),
  );
  t.equal(redeliveryWaitMs(10, 0), undefined);
  t.equal(redeliveryWaitMs(1, 0.5), 5500);
});
