import { BillingName, ObjectId, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** What billing tells of. */
const BillingEventType = Type.Union([
  Type.Literal('credit_note.issued'),
  Type.Literal('invoice.issued'),
  Type.Literal('invoice.paid'),
  Type.Literal('invoice.written_off'),
  Type.Literal('payment.dispute_lost'),
  Type.Literal('payment.dispute_won'),
  Type.Literal('payment.disputed'),
  Type.Literal('payment.failed'),
  Type.Literal('payment.received'),
  Type.Literal('refund.failed'),
  Type.Literal('refund.made'),
  Type.Literal('subscription.changed'),
  Type.Literal('subscription.created'),
  Type.Literal('subscription.ended'),
]);
export type BillingEventType = Static<typeof BillingEventType>;

/** Where events are sent. */
export const WebhookRequest = Type.Object(
  {
    url: Type.String({ pattern: '^https?://[^\\s/?#@]+(/[^\\s#]*)?$', maxLength: 1024 }),
    /** All where absent. */
    types: Type.Optional(Type.Array(BillingEventType, { minItems: 1, maxItems: 32 })),
  },
  { additionalProperties: false },
);
export type WebhookRequest = Static<typeof WebhookRequest>;
export const WebhookView = Type.Object({
  ...WebhookRequest.properties,
  id: BillingName,
  createdAtMs: TimeMs,
});
export type WebhookView = Static<typeof WebhookView>;
/** `secret` is shown when the webhook is made, and never again. */
export const WebhookReply = Type.Object({
  ...WebhookView.properties,
  secret: Type.Optional(Type.String()),
});
export type WebhookReply = Static<typeof WebhookReply>;
const Count = Type.Integer({ minimum: 0 });
export const WebhookList = Type.Object({
  webhooks: Type.Array(
    Type.Object({
      ...WebhookView.properties,
      /** Events that are to be sent, and those that nobody took; counted to a thousand. */
      waiting: Count,
      dead: Count,
    }),
  ),
});
export type WebhookList = Static<typeof WebhookList>;

/** An event that nobody took. */
const DeadLetter = Type.Object({
  event: ObjectId,
  type: Type.String(),
  atMs: TimeMs,
  tries: Count,
  failure: Type.Optional(Type.String()),
});
export const DeadLetterList = Type.Object({ letters: Type.Array(DeadLetter) });
export type DeadLetterList = Static<typeof DeadLetterList>;
export const WebhookRetry = Type.Object({ retried: Count });
