import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type, type Static } from '../../common/contract/type.ts';
import { Sequence } from '../../common/contract/primitives.ts';
import { callerGone } from '../../common/runtime/http-server.ts';
import type { Waiters } from './long-poll.ts';

/** A signed document as it goes out. */
export interface SignedDocument {
  readonly sequence: number;
  readonly jws: string;
  /** Where it is not a whole JWS. */
  readonly contentType?: string;
}

/** What a poll wants: a document newer than `after`, for which it waits up to `waitMs`. */
export interface SignedPoll {
  readonly after: number;
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The query of every route of a signed document. */
export const SignedPollQuery = Type.Object(
  {
    after: Type.Optional({ ...Sequence, default: 0 }),
    waitMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 30_000, default: 0 })),
  },
  { additionalProperties: false },
);

/** The answers of every route of a signed document. */
export const signedAnswers = { 200: Type.String(), 204: Type.Null() };

/** The document once it is newer than the one known, woken by its key; undefined when none comes in time. Errors: OVERLOADED. */
export async function pollSigned(
  { waiters, key, held }: { waiters: Waiters; key: string; held: () => SignedDocument | undefined },
  { after, waitMs, signal }: SignedPoll,
): Promise<SignedDocument | undefined> {
  const newer = (): SignedDocument | undefined => {
    const document = held();
    return document !== undefined && document.sequence > after ? document : undefined;
  };
  const found = newer();
  if (found !== undefined) return found;
  await waiters.wait(key, { waitMs, signal });
  return newer();
}

/** Answers a poll: the JWS with its sequence, or 204. The wait ends with its caller, and when draining begins. */
export async function answerPoll(
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  query: Static<typeof SignedPollQuery>,
  {
    draining,
    poll,
  }: { draining: AbortSignal; poll: (want: SignedPoll) => Promise<SignedDocument | undefined> },
): Promise<FastifyReply> {
  const { after = 0, waitMs = 0 } = query;
  const signal = AbortSignal.any([draining, callerGone(request, reply)]);
  const document = await poll({ after, waitMs, signal });
  if (document === undefined) return reply.code(204).send(null);
  return reply
    .type(document.contentType ?? 'application/jose')
    .header('x-sequence', String(document.sequence))
    .send(document.jws);
}
