import type {
  DeadLetterList,
  WebhookList,
  WebhookReply,
  WebhookRequest,
} from '../../../common/contract/webhooks.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { newObjectId } from '../../core/object-id.ts';
import type { Batch } from './batch.ts';
import type { Desk } from './desk.ts';
import { redeliveryWaitMs, secretPrefix, webhookHeaders } from './core/webhook-signature.ts';
import { ordered, type BillingRecords, type DeliveryRecord, type WebhookRecord } from './records.ts';

/** Sends a body; what its receiver says goes no further. Rejects where it could not be sent. @returns the status. */
export type PostWebhook = (
  url: string,
  options: { headers: Record<string, string>; body: string; signal: AbortSignal | undefined },
) => Promise<number>;

/**
 * Tells others what was booked: events are written down in the commit of what they tell, sent until they are taken (at least once, under
 * the same id), and given up after two days, to be seen and sent again by a person.
 */
export interface Webhooks {
  /** Errors: WEBHOOKS_TOO_MANY. @returns it, with its secret where it is new. */
  put(id: string, request: WebhookRequest): Promise<WebhookReply>;
  list(): Promise<WebhookList['webhooks']>;
  /** With everything that waits for it. WEBHOOK_UNKNOWN. */
  remove(id: string): Promise<void>;
  /** What nobody took, the oldest first. WEBHOOK_UNKNOWN. */
  deadLetters(id: string): Promise<DeadLetterList['letters']>;
  /** Sends dead letters again, a thousand at most; gives how many. WEBHOOK_UNKNOWN. */
  retry(id: string): Promise<number>;
  /** Adds to a batch what goes out with what it tells. */
  enclose(batch: Batch): Promise<void>;
  /** Begins to send what is due until now to those that nothing is being sent to: one that is slow holds no other. */
  begin(signal?: AbortSignal): Promise<void>;
  /** Waits for all that was begun. */
  ended(): Promise<void>;
}

/** Each webhook is a delivery for every event: a commit has room for so many. */
const webhooksMax = 8;
const atOnce = 4;
const secretBytes = 32;
const deadKeptMs = 30 * 86_400_000;

/** Opens the webhooks. */
export function openWebhooks(options: {
  records: BillingRecords;
  /** Webhooks change between bookings: each event is for those that there are when it is booked. */
  desk: () => Desk;
  clock: Clock;
  chance: Chance;
  log: Log;
  post: PostWebhook;
}): Webhooks {
  return new KeptWebhooks(options);
}

class KeptWebhooks implements Webhooks {
  readonly #records: BillingRecords;
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #post: PostWebhook;
  readonly #desk: () => Desk;
  readonly #log: Log;
  /** What is being sent, by webhook. */
  readonly #sending = new Map<string, Promise<void>>();

  constructor(options: Parameters<typeof openWebhooks>[0]) {
    this.#records = options.records;
    this.#clock = options.clock;
    this.#chance = options.chance;
    this.#post = options.post;
    this.#desk = options.desk;
    this.#log = options.log;
  }

  async put(id: string, request: WebhookRequest): Promise<WebhookReply> {
    const { webhooks } = this.#records;
    return this.#desk().book(async (batch) => {
      const before = (await webhooks.get(id))?.value;
      if (before === undefined && (await this.#all()).length >= webhooksMax)
        throw coded('WEBHOOKS_TOO_MANY', `${webhooksMax}; remove one first`);
      const secret = before?.secret ?? `${secretPrefix}${this.#chance.bytes(secretBytes).toString('base64')}`;
      const view = { ...request, id, createdAtMs: before?.createdAtMs ?? this.#clock.nowMs() };
      batch.change(webhooks.putOperation(id, { ...view, secret }));
      return { ...view, ...(before === undefined && { secret }) };
    });
  }

  async list(): Promise<WebhookList['webhooks']> {
    const { deliveries, deadLetters } = this.#records;
    return Promise.all(
      (await this.#all()).map(async ({ secret: _secret, ...view }) => ({
        ...view,
        waiting: (await deliveries.scan({ prefix: `${view.id}:` })).length,
        dead: (await deadLetters.scan({ prefix: `${view.id}:` })).length,
      })),
    );
  }

  async remove(id: string): Promise<void> {
    await this.#check(id);
    const { books, webhooks, deliveries, deadLetters } = this.#records;
    await this.#desk().book(async (batch) => {
      batch.change(webhooks.removeOperation(id));
    });
    for (const collection of [deliveries, deadLetters])
      for (;;) {
        const page = await collection.scan({ prefix: `${id}:` });
        if (page.length === 0) break;
        await books.commit(page.map(({ key }) => collection.removeOperation(key)));
      }
  }

  async deadLetters(id: string): Promise<DeadLetterList['letters']> {
    await this.#check(id);
    const page = await this.#records.deadLetters.scan({ prefix: `${id}:` });
    return page.map(({ value: { body: _body, ...letter } }) => letter);
  }

  async retry(id: string): Promise<number> {
    await this.#check(id);
    const { books, deliveries, deadLetters } = this.#records;
    const page = await deadLetters.scan({ prefix: `${id}:` });
    const nowMs = this.#clock.nowMs();
    if (page.length > 0)
      await books.commit(
        page.flatMap(({ key, value }) => [
          deadLetters.removeOperation(key),
          deliveries.putOperation(keyOf(id, nowMs, value.event), { ...value, tries: 0 }),
        ]),
      );
    return page.length;
  }

  async enclose(batch: Batch): Promise<void> {
    if (batch.told.length === 0) return;
    const webhooks = await this.#all();
    if (webhooks.length === 0) return;
    const atMs = this.#clock.nowMs();
    for (const { type, account, data } of batch.told) {
      const event = newObjectId('evt', this.#chance);
      const body = JSON.stringify({
        ...{ type, timestamp: new Date(atMs).toISOString() },
        data: { account, ...data },
      });
      for (const { id, types } of webhooks)
        if (types === undefined || types.includes(type))
          batch.change(
            this.#records.deliveries.putOperation(keyOf(id, atMs, event), {
              event,
              type,
              atMs,
              body,
              tries: 0,
            }),
          );
    }
  }

  async begin(signal?: AbortSignal): Promise<void> {
    for (const { id } of await this.#all()) {
      if (this.#sending.has(id)) continue;
      const sending = this.#deliver(id, signal)
        .catch((error: unknown) => {
          this.#log.error({ err: error, webhook: id }, 'webhooks could not be sent; it is tried again');
        })
        .finally(() => this.#sending.delete(id));
      this.#sending.set(id, sending);
    }
    const { books, deadLetters } = this.#records;
    const old = (await deadLetters.scan()).filter(
      ({ value }) => value.atMs < this.#clock.nowMs() - deadKeptMs,
    );
    if (old.length > 0) await books.commit(old.map(({ key }) => deadLetters.removeOperation(key)));
  }

  async ended(): Promise<void> {
    await Promise.all(this.#sending.values());
  }

  async #deliver(id: string, signal: AbortSignal | undefined): Promise<void> {
    const { deliveries, webhooks } = this.#records;
    while (signal?.aborted !== true) {
      // It may be another, or none, since the last time.
      const webhook = (await webhooks.get(id))?.value;
      if (webhook === undefined) return;
      // In turn: what is being booked is on the disk then, and no power cut takes back what is told.
      const page = await this.#desk().read(() => deliveries.scan({ prefix: `${id}:`, limit: atOnce }));
      const due = page.filter(({ key }) => dueMsOf(key) <= this.#clock.nowMs());
      if (due.length === 0) return;
      await Promise.all(due.map(({ key, value }) => this.#send(webhook, { key, delivery: value }, signal)));
    }
  }

  async #send(
    { id, url, secret }: WebhookRecord,
    { key, delivery }: { key: string; delivery: DeliveryRecord },
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { books, deliveries, deadLetters } = this.#records;
    const { event, body } = delivery;
    const atS = Math.floor(this.#clock.nowMs() / 1000);
    const headers = {
      'content-type': 'application/json',
      ...webhookHeaders({ id: event, atS, body }, secret),
    };
    const failure = await this.#post(url, { headers, body, signal }).then(
      (status) => (status >= 200 && status < 300 ? undefined : `it answered ${status}`),
      (error: unknown) => (error instanceof Error ? error.message.slice(0, 200) : 'it could not be reached'),
    );
    // Stopped in between: it is sent again, which is why ids stay.
    if (failure !== undefined && signal?.aborted === true) return;
    // Removed in the meantime: nothing is put back.
    if ((await deliveries.get(key)) === undefined) return;
    if (failure === undefined) {
      await deliveries.remove(key);
      return;
    }
    const after = { ...delivery, tries: delivery.tries + 1, failure };
    const waitMs = redeliveryWaitMs(after.tries, this.#chance.fraction());
    await books.commit([
      deliveries.removeOperation(key),
      waitMs === undefined
        ? deadLetters.putOperation(keyOf(id, delivery.atMs, event), after)
        : deliveries.putOperation(keyOf(id, this.#clock.nowMs() + waitMs, event), after),
    ]);
  }

  async #all(): Promise<readonly WebhookRecord[]> {
    return (await this.#records.webhooks.scan()).map(({ value }) => value);
  }

  async #check(id: string): Promise<void> {
    if ((await this.#records.webhooks.get(id)) === undefined) throw coded('WEBHOOK_UNKNOWN', id);
  }
}

function keyOf(webhook: string, atMs: number, event: string): string {
  return `${webhook}:${ordered(atMs)}:${event}`;
}

function dueMsOf(key: string): number {
  return Number(key.split(':')[1]);
}
