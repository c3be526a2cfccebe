import { BillingName } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import {
  DeadLetterList,
  WebhookList,
  WebhookReply,
  WebhookRequest,
  WebhookRetry,
} from '../../../common/contract/webhooks.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Billing } from './service.ts';

const tags = ['billing'];
const operators = ['operator', 'admin'] as const;
const params = Type.Object({ id: BillingName });

/** Routes of where events are sent. */
export function webhookRoutes(app: App, { webhooks }: Billing): void {
  app.get(
    '/v1/webhooks',
    {
      config: { credential: operators },
      schema: { summary: 'Where events of billing are sent', tags, response: { 200: WebhookList } },
    },
    async () => ({ webhooks: await webhooks.list() }),
  );
  app.put(
    '/v1/webhooks/:id',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Puts a webhook; a new one is answered with the secret that signs what it is sent',
        ...{ tags, params, body: WebhookRequest, response: { 200: WebhookReply } },
      },
    },
    ({ params: { id }, body }) => webhooks.put(id, body),
  );
  app.delete(
    '/v1/webhooks/:id',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Removes a webhook with all that waits for it',
        ...{ tags, params, response: { 204: Type.Null() } },
      },
    },
    async ({ params: { id } }, reply) => {
      await webhooks.remove(id);
      return reply.code(204).send(null);
    },
  );
  deadLetterRoutes(app, webhooks);
}

function deadLetterRoutes(app: App, webhooks: Billing['webhooks']): void {
  app.get(
    '/v1/webhooks/:id/dead-letters',
    {
      config: { credential: operators },
      schema: {
        summary: 'Events that nobody took within two days; forgotten after thirty',
        ...{ tags, params, response: { 200: DeadLetterList } },
      },
    },
    async ({ params: { id } }) => ({ letters: await webhooks.deadLetters(id) }),
  );
  app.post(
    '/v1/webhooks/:id/retry',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Sends its dead letters again, a thousand at most',
        ...{ tags, params, response: { 200: WebhookRetry } },
      },
    },
    async ({ params: { id } }) => ({ retried: await webhooks.retry(id) }),
  );
}
