import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An object as Stripe sends it. */
export type StripeObject = Record<string, unknown> & { id: string };

/** A call as it came, its form decoded. */
interface Call {
  readonly route: string;
  readonly form: Readonly<Record<string, string>>;
  readonly key: string | undefined;
}

/**
 * A server that speaks what Stripe's documentation says of customers, setup pages, payment intents and refunds: forms in, JSON out,
 * idempotency keys, errors. What becomes of a payment is said by its method, named as Stripe's own test methods are.
 */
export interface StripeServer {
  readonly url: string;
  readonly calls: Call[];
  readonly intents: StripeObject[];
  readonly refunds: StripeObject[];
  readonly customers: Set<string>;
  /** Before a call is worked on; may end its socket, or hold it. */
  before: (call: Call, reply: ServerResponse) => Promise<void> | void;
  /** After a call was worked on, before it is answered. */
  after: (call: Call, reply: ServerResponse) => Promise<void> | void;
  /** What becomes of refunds: as Stripe says it. */
  refundStatus: 'succeeded' | 'pending' | 'failed';
  /** Forgets what it answered to idempotency keys, as Stripe does after a day. */
  forgetKeys(): void;
  close(): Promise<void>;
}

export const webhookSecret = 'whsec_test_secret_of_the_double';

const declines: Readonly<Record<string, string>> = {
  pm_card_chargeDeclinedInsufficientFunds: 'insufficient_funds',
  pm_card_chargeDeclinedStolenCard: 'stolen_card',
  pm_card_authenticationRequired: 'authentication_required',
};

/** Starts it on a free port. */
export async function startStripe(): Promise<StripeServer> {
  const answers = new Map<string, { form: string; status: number; body: object }>();
  const stripe: Omit<StripeServer, 'url' | 'close'> = {
    ...{ calls: [], intents: [], refunds: [], customers: new Set(), refundStatus: 'succeeded' },
    ...{ before: () => undefined, after: () => undefined, forgetKeys: () => answers.clear() },
  };
  const work = (call: Call, query: URLSearchParams): { status: number; body: object } => {
    const { route, form, key } = call;
    const kept = key === undefined ? undefined : answers.get(key);
    const text = JSON.stringify(form);
    if (kept !== undefined && kept.form !== text)
      return failure(400, {
        type: 'idempotency_error',
        message: 'Keys can only be used with the same parameters',
      });
    const answer = kept ?? routes(stripe, { route, form, query });
    if (key !== undefined && answer.status < 500) answers.set(key, { form: text, ...answer });
    return answer;
  };
  const server = createServer((request, reply) => {
    void handle(request, reply).catch(() => reply.destroy());
  });
  const handle = async (request: IncomingMessage, reply: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stripe');
    const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
    const key = request.headers['idempotency-key'];
    const call = { route: `${request.method} ${pathname}`, form, key: key === undefined ? key : String(key) };
    stripe.calls.push(call);
    await stripe.before(call, reply);
    if (isGone(reply)) return;
    const isKnown = request.headers.authorization === 'Bearer sk_test_double';
    const { status, body } = isKnown
      ? work(call, searchParams)
      : failure(401, { type: 'invalid_request_error', message: 'Invalid API Key provided' });
    await stripe.after(call, reply);
    if (isGone(reply)) return;
    reply.writeHead(status, {
      'content-type': 'application/json',
      'request-id': `req_${stripe.calls.length}`,
    });
    reply.end(JSON.stringify(body));
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(stripe, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

/** The hook has ended or answered it. */
function isGone(reply: ServerResponse): boolean {
  return reply.destroyed || reply.writableEnded;
}

function routes(
  stripe: Pick<StripeServer, 'intents' | 'refunds' | 'customers' | 'refundStatus'>,
  { route, form, query }: { route: string; form: Call['form']; query: URLSearchParams },
): { status: number; body: object } {
  if (route === 'POST /v1/customers') {
    const id = `cus_${stripe.customers.size + 1}`;
    stripe.customers.add(id);
    return { status: 200, body: { id, object: 'customer', metadata: nested(form, 'metadata') } };
  }
  if (route.startsWith('DELETE /v1/customers/')) {
    const id = route.split('/').at(-1) ?? '';
    if (!stripe.customers.delete(id))
      return failure(404, {
        type: 'invalid_request_error',
        code: 'resource_missing',
        message: 'No such customer',
      });
    return { status: 200, body: { id, object: 'customer', deleted: true } };
  }
  if (route === 'POST /v1/checkout/sessions')
    return {
      status: 200,
      body: {
        id: 'cs_test_1',
        object: 'checkout.session',
        url: `https://checkout.stripe.com/c/pay/cs_test_1`,
      },
    };
  if (route === 'GET /v1/payment_intents') {
    const data = stripe.intents.filter(({ customer }) => customer === query.get('customer')).toReversed();
    return { status: 200, body: { object: 'list', data, has_more: false, url: '/v1/payment_intents' } };
  }
  if (route === 'POST /v1/payment_intents') return intent(stripe.intents, form);
  if (route === 'GET /v1/refunds') {
    const payment = query.get('payment_intent');
    const data = stripe.refunds.filter(({ payment_intent: of }) => of === payment).toReversed();
    return { status: 200, body: { object: 'list', data, has_more: false, url: '/v1/refunds' } };
  }
  if (route === 'POST /v1/refunds') return refund(stripe, form);
  return failure(404, { type: 'invalid_request_error', message: `Unrecognized request URL (${route})` });
}

function refund(
  { intents, refunds, refundStatus }: Pick<StripeServer, 'intents' | 'refunds' | 'refundStatus'>,
  form: Call['form'],
): { status: number; body: object } {
  const refusal = (status: number, code: string, message: string) =>
    failure(status, { type: 'invalid_request_error', code, message });
  const of = intents.find(({ id }) => id === form['payment_intent']);
  if (of === undefined) return refusal(404, 'resource_missing', 'No such payment');
  const amount = Number(form['amount']);
  const given = refunds
    .filter((one) => one['payment_intent'] === of.id && one['status'] !== 'failed')
    .reduce((sum, one) => sum + Number(one['amount']), 0);
  if (given === of['amount'])
    return refusal(400, 'charge_already_refunded', 'Charge has already been refunded.');
  if (given + amount > Number(of['amount']))
    return refusal(400, 'amount_too_large', 'Refund amount is greater than unrefunded amount on charge');
  const made = {
    ...{ id: `re_${refunds.length + 1}`, object: 'refund', status: refundStatus },
    ...{ amount, payment_intent: of.id, metadata: nested(form, 'metadata') },
    ...(refundStatus === 'failed' && { failure_reason: 'expired_or_canceled_card' }),
  };
  refunds.push(made);
  return { status: 200, body: made };
}

/** The least that is taken, as it is counted here. */
const leasts: Readonly<Record<string, number>> = { eur: 50, usd: 50, jpy: 50, kwd: 200 };

function intent(intents: StripeObject[], form: Call['form']): { status: number; body: object } {
  if (Number(form['amount']) < (leasts[form['currency'] ?? ''] ?? 0))
    return failure(400, {
      ...{ type: 'invalid_request_error', code: 'amount_too_small' },
      message: 'The amount is below the minimum',
    });
  const method = form['payment_method'] ?? '';
  const decline = declines[method];
  const error = decline !== undefined && {
    ...{ type: 'card_error', code: decline === 'authentication_required' ? decline : 'card_declined' },
    ...{ decline_code: decline, message: 'Your card was declined.' },
  };
  const made: StripeObject = {
    ...{ id: `pi_${intents.length + 1}`, object: 'payment_intent', customer: form['customer'] },
    ...{ amount: Number(form['amount']), currency: form['currency'], metadata: nested(form, 'metadata') },
    status: error ? 'requires_payment_method' : method === 'pm_slow' ? 'processing' : 'succeeded',
    amount_received: error || method === 'pm_slow' ? 0 : Number(form['amount']),
    last_payment_error: error || null,
  };
  intents.push(made);
  return error ? failure(402, { ...error, payment_intent: made }) : { status: 200, body: made };
}

/** `metadata[a]=b` as Stripe reads it. */
function nested(form: Call['form'], name: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(form)
      .filter(([key]) => key.startsWith(`${name}[`))
      .map(([key, value]) => [key.slice(name.length + 1, -1), value]),
  );
}

function failure(status: number, error: object): { status: number; body: object } {
  return { status, body: { error } };
}

let events = 0;

/** An event as Stripe sends it, with its signature (https://docs.stripe.com/webhooks/signature). */
export function stripeEvent(
  type: string,
  object: object,
  more: { nowMs: number; id?: string; secret?: string; fields?: object; previous?: object },
): { body: Buffer; signature: string } {
  const { nowMs, id = `evt_test_${++events}`, secret = webhookSecret, fields = {}, previous } = more;
  const atS = Math.floor(nowMs / 1000);
  const data = { object, ...(previous !== undefined && { previous_attributes: previous }) };
  const event = { id, object: 'event', type, created: atS, livemode: false, data, ...fields };
  const body = Buffer.from(JSON.stringify(event, null, 2));
  const signature = createHmac('sha256', secret).update(`${atS}.${body.toString()}`).digest('hex');
  return { body, signature: `t=${atS},v1=${signature},v0=00` };
}
