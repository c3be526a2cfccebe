import { Agent, request } from 'undici';
import type { PostWebhook } from './webhooks.ts';

const timeoutMs = 10_000;

/** Sends webhooks by HTTP. A redirection is an answer like any other: nothing is sent where nobody said. */
export function createWebhookPost(): { post: PostWebhook; close: () => Promise<void> } {
  const agent = new Agent({
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: timeoutMs },
  });
  return {
    post: async (url, { headers, body, signal }) => {
      const reply = await request(url, {
        ...{ method: 'POST', headers, body, dispatcher: agent },
        ...(signal !== undefined && { signal }),
      });
      await reply.body.dump({ limit: 65_536 });
      return reply.statusCode;
    },
    close: () => agent.close(),
  };
}
