import { Agent, request } from 'undici';
import type { PostWebhook } from './webhooks.ts';

const answerBytesMax = 65_536;

/**
 * Sends webhooks by HTTP; `timeoutMs` is for a request and its whole answer. A redirection is an answer like any other: nothing is sent where
 * nobody said.
 */
export function createWebhookPost({ timeoutMs = 10_000 } = {}): {
  post: PostWebhook;
  close: () => Promise<void>;
} {
  const agent = new Agent({ connect: { timeout: timeoutMs } });
  return {
    post: async (url, { headers, body, signal: stop }) => {
      // Over all of it: what comes byte by byte is never late for a limit between two bytes.
      const late = AbortSignal.timeout(timeoutMs);
      const signal = stop === undefined ? late : AbortSignal.any([stop, late]);
      const reply = await request(url, { method: 'POST', headers, body, signal, dispatcher: agent });
      await reply.body.dump({ limit: answerBytesMax, signal });
      return reply.statusCode;
    },
    close: () => agent.close(),
  };
}
