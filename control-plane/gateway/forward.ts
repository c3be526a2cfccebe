import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Dispatcher } from 'undici';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded, systemCode } from '../../common/runtime/errors.ts';
import { answerFields, isIdempotent, isServiceFailure, isUnsent, requestFields } from './core/forwarding.ts';
import type { Upstream, UpstreamGroup } from './upstream-group.ts';

/**
 * How one try has ended. `answered`: the client has it, `gone`: nobody waits for it, `refused`: the service said that it is in
 * trouble, `unsent`: nothing has reached it, `late`: it took too long.
 */
type Outcome =
  | { readonly kind: 'answered' | 'gone' | 'refused' }
  | { readonly kind: 'unsent' | 'failed' | 'late'; readonly cause: unknown };

export interface ForwardOptions {
  readonly group: UpstreamGroup;
  readonly clock: Clock;
  /** Once it is aborted clients are told to come back on another connection. */
  readonly draining: AbortSignal;
  readonly onRetry: () => void;
  readonly onFailure: (upstream: Upstream) => void;
}

// A service with one process is away for about as long while that starts again.
const REACH_MS = 3000;
const REACH_AGAIN_MS = 50;
const TRIES_MAX = 3;
const SMALL_BYTES = 4096;
const IN_FLIGHT_MAX = 512;

/**
 * Sends a request on and its answer back. A try that reached nobody is made again elsewhere, or here a little later, for up to
 * three seconds; one that failed on its way is repeated only where that does no harm and the budget allows.
 *
 * @throws OVERLOADED, UNAVAILABLE, UPSTREAM_FAILED, TIMEOUT.
 */
export async function forward(
  request: FastifyRequest,
  reply: FastifyReply,
  options: ForwardOptions,
): Promise<void> {
  const { group } = options;
  if (group.inFlight >= IN_FLIGHT_MAX)
    throw coded('OVERLOADED', { detail: `${group.prefix} has as much to do as it can`, retryAfterMs: 1000 });
  group.inFlight++;
  try {
    await tryAll(request, reply, options);
    // Who left has no answer.
    if (!reply.sent) reply.hijack();
  } finally {
    group.inFlight--;
  }
}

async function tryAll(request: FastifyRequest, reply: FastifyReply, options: ForwardOptions): Promise<void> {
  const { group, clock, onRetry } = options;
  const endsMs = clock.monotonicMs() + REACH_MS;
  const tried = new Set<Upstream>();
  let tries = 1;
  const mayRepeat = (): boolean => tries < TRIES_MAX && isIdempotent(request.method) && group.budget.take();
  const mayGoElsewhere = (): boolean => tried.size < group.upstreams.length && mayRepeat();
  group.budget.note();
  while (!reply.raw.destroyed) {
    const upstream = group.pick(tried);
    if (upstream !== undefined) tried.add(upstream);
    const outcome: Outcome =
      upstream === undefined
        ? { kind: 'unsent', cause: undefined }
        : await tryOnce({ request, reply, upstream, mayGoElsewhere }, options);
    if (outcome.kind === 'answered' || outcome.kind === 'gone') return;
    if (outcome.kind === 'unsent') {
      const { cause } = outcome;
      if (clock.monotonicMs() >= endsMs)
        throw coded('UNAVAILABLE', { detail: group.prefix, cause, retryAfterMs: 1000 });
      if (upstream === undefined || tried.size === group.upstreams.length) await clock.sleep(REACH_AGAIN_MS);
      continue;
    }
    if (outcome.kind === 'late') throw coded('TIMEOUT', { detail: group.prefix, cause: outcome.cause });
    if (outcome.kind === 'failed' && !mayRepeat())
      throw coded('UPSTREAM_FAILED', { detail: group.prefix, cause: outcome.cause });
    tries++;
    onRetry();
  }
}

interface Try {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly upstream: Upstream;
  /** Whether another is to be asked when this one answers that it is in trouble; asked once. */
  readonly mayGoElsewhere: () => boolean;
}

async function tryOnce(one: Try, { clock, draining, onFailure }: ForwardOptions): Promise<Outcome> {
  const { upstream } = one;
  upstream.inFlight++;
  const outcome = await new Promise<Outcome>((resolve) => {
    dispatch(one, { draining, resolve });
  });
  upstream.inFlight--;
  const { kind } = outcome;
  // Whoever answers is there, whatever the answer is.
  const isFailure = kind === 'unsent' || kind === 'failed' || kind === 'late';
  if (isFailure || kind === 'refused') onFailure(upstream);
  upstream.circuit.end(isFailure ? 'failed' : kind === 'gone' ? 'left' : 'succeeded', clock.monotonicMs());
  return outcome;
}

function dispatch(
  { request, reply, upstream, mayGoElsewhere }: Try,
  { draining, resolve }: { draining: AbortSignal; resolve: (outcome: Outcome) => void },
): void {
  const { raw: response } = reply;
  const { ip: address, host, protocol, id: requestId } = request;
  const body = request.body as Buffer | undefined;
  let isRefused = false;
  // Of a small answer of known length; head and body then leave as one text, byte by byte the same, for half of what two buffers cost.
  let wholeBytes: number | undefined;
  let leave = (): void => undefined;
  const end = (outcome: Outcome): void => {
    response.off('close', leave);
    resolve(outcome);
  };
  upstream.pool.dispatch(
    {
      path: request.raw.url ?? '/',
      method: request.method,
      headers: requestFields(request.raw.rawHeaders, { address, host, protocol, requestId }),
      body: body === undefined || body.length === 0 ? null : body,
    },
    {
      onRequestStart(controller) {
        leave = () => {
          controller.abort(coded('ABORTED'));
        };
        if (response.destroyed) leave();
        else response.once('close', leave);
      },
      onResponseStart(controller, status, headers) {
        // 1xx (RFC 9110 §15.2) are between the service and the gateway.
        if (status < 200) return;
        if (isServiceFailure(status) && mayGoElsewhere()) {
          isRefused = true;
          controller.abort(coded('UPSTREAM_FAILED', `it answers ${status}`));
          return;
        }
        reply.hijack();
        const fields = answerFields(headers, reply.getHeaders() as Record<string, string | string[]>);
        if (draining.aborted) fields['connection'] = 'close';
        const length = Number(headers['content-length']);
        if (length > 0 && length <= SMALL_BYTES) wholeBytes = length;
        response.writeHead(status, fields);
      },
      onResponseData(controller, chunk) {
        if (chunk.length === wholeBytes) response.end(chunk.toString('latin1'), 'latin1');
        else if (!response.write(chunk)) pauseUntilDrained(controller, response);
      },
      onResponseEnd() {
        response.end();
        end({ kind: 'answered' });
      },
      onResponseError(_controller, cause) {
        end(isRefused ? { kind: 'refused' } : outcomeOf(cause, response));
      },
    },
  );
}

function pauseUntilDrained(controller: Dispatcher.DispatchController, response: ServerResponse): void {
  controller.pause();
  response.once('drain', () => {
    controller.resume();
  });
}

function outcomeOf(cause: Error, response: ServerResponse): Outcome {
  if (response.headersSent) {
    // Cut, so that the client sees that something is missing.
    response.destroy();
    return { kind: 'gone' };
  }
  if (response.destroyed) return { kind: 'gone' };
  const code = systemCode(cause);
  if (isUnsent(code)) return { kind: 'unsent', cause };
  const isLate = code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT';
  return { kind: isLate ? 'late' : 'failed', cause };
}
