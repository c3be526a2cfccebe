import { createHmac } from 'node:crypto';

/** What a secret begins with; behind it are the key's bytes in base64. */
export const secretPrefix = 'whsec_';

/** What is sent: the same id whenever it is sent again, and when this is. */
interface Sent {
  readonly id: string;
  readonly atS: number;
  readonly body: string;
}

/** The headers of a webhook by the Standard Webhooks specification: HMAC-SHA256 over id, time and body. https://www.standardwebhooks.com */
export function webhookHeaders({ id, atS, body }: Sent, secret: string): Record<string, string> {
  const key = Buffer.from(secret.slice(secretPrefix.length), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${atS}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': String(atS), 'webhook-signature': `v1,${signature}` };
}

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const waitsMs = [
  ...[5 * secondMs, 30 * secondMs, 2 * minuteMs, 10 * minuteMs, 30 * minuteMs],
  ...[2 * hourMs, 6 * hourMs, 12 * hourMs, 24 * hourMs],
] as const;

/**
 * How long to wait after so many tries that failed, up to a fifth longer by chance so that not all come at once; undefined after two days, when
 * it is given up. `fraction` is in [0, 1).
 */
export function redeliveryWaitMs(tries: number, fraction: number): number | undefined {
  const waitMs = waitsMs[tries - 1];
  return waitMs === undefined ? undefined : Math.round(waitMs * (1 + fraction / 5));
}
