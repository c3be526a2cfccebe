import type { FastifyReply } from 'fastify';
import type { ProblemCode } from '../../../common/contract/problem.ts';
import { isCoded } from '../../../common/runtime/errors.ts';
import { policyOf } from './pages/layout.ts';

/** Sends a page with what a browser may do with it. */
export function sendPage(
  reply: FastifyReply,
  body: string,
  policy: Parameters<typeof policyOf>[0] = {},
): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', policyOf(policy))
    .send(body);
}

/** What a page that is shown again says of a failure with one of these codes, which sets the answer's status; any other is thrown on. */
export function faultOf(error: unknown, reply: FastifyReply, codes: readonly ProblemCode[]): string {
  if (!isCoded(error, ...codes)) throw error;
  const { code, message, retryAfterMs } = error;
  if (retryAfterMs !== undefined) void reply.header('retry-after', String(Math.ceil(retryAfterMs / 1000)));
  // A page that is shown again: 401 would need a scheme of HTTP's own.
  reply.code(code === 'RATE_LIMITED' || code === 'OVERLOADED' ? 429 : 422);
  return message;
}
