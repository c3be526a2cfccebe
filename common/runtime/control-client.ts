import { Readable } from 'node:stream';
import type { Static, TSchema } from '../contract/type.ts';
import type { Agent, Dispatcher } from 'undici';
import { Problem, type ProblemCode } from '../contract/problem.ts';
import type { Chance } from './chance.ts';
import type { Clock } from './clock.ts';
import { coded, isCoded, isProblemCode, systemCode, toCoded, type CodedError } from './errors.ts';
import { exchange } from './http-exchange.ts';
import { matches, parseJsonAs } from './parse.ts';
import { redactText } from './redact.ts';
import { spreadBackoffMs } from '../core/backoff.ts';

export interface ControlClientOptions {
  /** `http://127.0.0.1:7070`; a path in it comes before every call's. */
  url: string;
  clock: Clock;
  chance: Chance;
  /** The authorization header of one call, made anew for each attempt; `path` is without that of `url`. */
  authorize?: (method: string, path: string) => Promise<string | undefined>;
  /** What it means that nothing answers there. */
  unreachable?: Extract<ProblemCode, 'CONTROL_UNREACHABLE' | 'STEERING_UNREACHABLE'>;
  /** How long one attempt may take, besides the call's own `waitMs`. */
  timeoutMs?: number;
}

export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

export interface Call {
  method: Method;
  path: string;
  query?: Readonly<Record<string, string | number | undefined>>;
  headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it comes, once; set its content-type in `headers`. The timeout is for standstill. */
  stream?: Readable | Buffer;
  /** For how long the other side may hold a long poll. */
  waitMs?: number;
  signal?: AbortSignal | undefined;
  /** How often to try again; only GET, HEAD, PUT and DELETE unless it says `idempotent`. Default 2. */
  retriesMax?: number;
  idempotent?: boolean;
  /** Largest answer. Default 1 MiB. */
  answerBytesMax?: number;
}

export interface Answer<T> {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  value: T;
}

/** A client of the control plane's (or steering's) JSON interface. Every failure is a coded error. */
export interface ControlClient {
  url: string;
  /** Calls and parses the JSON answer by the schema; undefined for 204. */
  json<T extends TSchema>(call: Call, schema: T): Promise<Answer<Static<T> | undefined>>;
  /** Calls and returns the answer's text, for signed documents and metrics; empty for 204. */
  text(call: Call): Promise<Answer<string>>;
  /** Calls and returns the answer's bytes. */
  bytes(call: Call): Promise<Answer<Buffer>>;
  /** Cuts what is under way and frees the sockets. */
  close(): Promise<void>;
}

const TIMEOUT_MS = 10_000;
const RETRIES_MAX = 2;
const ANSWER_BYTES_MAX = 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
const RETRIES = { firstMs: 100, maxMs: 2000 };
// A longer Retry-After is the caller's to wait for.
const RETRY_AFTER_MS_MAX = 5000;
const retryStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** Makes a client. Sockets and the HTTP library come with the first call. */
export function createControlClient(options: ControlClientOptions): ControlClient {
  const base = new URL(options.url);
  let agent: Promise<Agent> | undefined;
  const context: Context = {
    ...options,
    base,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    unreachable: options.unreachable ?? 'CONTROL_UNREACHABLE',
    agent: () => (agent ??= createAgent()),
  };
  return {
    url: options.url,
    bytes: (call) => callWithRetries(context, call),
    text: (call) => callForText(context, call),
    async json(call, schema) {
      const { value, ...answer } = await callForText(context, call);
      if (answer.status === 204 || value === '') return { ...answer, value: undefined };
      const what = `the answer of ${base.origin}${call.path}`;
      return { ...answer, value: parseJsonAs(schema, value, { what, code: 'UNAVAILABLE' }) };
    },
    async close() {
      await (await agent)?.destroy();
    },
  };
}

interface Context
  extends Required<Pick<ControlClientOptions, 'timeoutMs' | 'unreachable'>>, ControlClientOptions {
  timeoutMs: number;
  unreachable: 'CONTROL_UNREACHABLE' | 'STEERING_UNREACHABLE';
  base: URL;
  agent: () => Promise<Agent>;
}

async function createAgent(): Promise<Agent> {
  const undici = await import('undici');
  // Every attempt has a deadline of its own.
  return new undici.Agent({ connections: 16, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 10_000 });
}

async function callForText(context: Context, call: Call): Promise<Answer<string>> {
  const { value, ...answer } = await callWithRetries(context, call);
  return { ...answer, value: value.toString('utf8') };
}

async function callWithRetries(context: Context, call: Call): Promise<Answer<Buffer>> {
  const repeatable =
    call.stream === undefined && (call.idempotent ?? !['POST', 'PATCH'].includes(call.method));
  const retriesMax = repeatable ? (call.retriesMax ?? RETRIES_MAX) : 0;
  for (let attempt = 0; ; attempt++) {
    try {
      return await callOnce(context, call);
    } catch (error) {
      const waitMs = attempt < retriesMax ? retryWaitMs(error, attempt, context.chance) : undefined;
      if (waitMs === undefined) throw error;
      await context.clock.sleep(waitMs, { signal: call.signal });
    }
  }
}

/** How long to wait before trying again: exponential with half of it by chance; undefined when it is of no use. */
function retryWaitMs(error: unknown, attempt: number, chance: Chance): number | undefined {
  if (!isCoded(error)) return undefined;
  const unreachable = error.code === 'CONTROL_UNREACHABLE' || error.code === 'STEERING_UNREACHABLE';
  if (!unreachable && !retryStatuses.has(error.status)) return undefined;
  const { retryAfterMs } = error;
  if (retryAfterMs !== undefined) return retryAfterMs <= RETRY_AFTER_MS_MAX ? retryAfterMs : undefined;
  return spreadBackoffMs(RETRIES, attempt, chance);
}

async function callOnce(context: Context, call: Call): Promise<Answer<Buffer>> {
  const timeoutMs = context.timeoutMs + (call.waitMs ?? 0);
  const attempt = new AbortController();
  const end = (): void => {
    attempt.abort();
  };
  const timer = setTimeout(end, timeoutMs);
  call.signal?.addEventListener('abort', end);
  try {
    call.signal?.throwIfAborted();
    const agent = await context.agent();
    const request = { ...(await requestOf(context, call)), body: bodyOf(call, timer) };
    const answerBytesMax = call.answerBytesMax ?? ANSWER_BYTES_MAX;
    const { status, headers, value } = await exchange(agent, request, {
      signal: attempt.signal,
      answerBytesMax,
    });
    if (status >= 400) throw refusal(status, headers, value.toString('utf8'));
    return { status, headers, value };
  } catch (cause) {
    if (call.signal?.aborted === true) throw coded('ABORTED', { cause });
    if (attempt.signal.aborted) throw unreached(context, cause, timeoutMs);
    throw isCoded(cause) ? cause : unreached(context, cause);
  } finally {
    clearTimeout(timer);
    call.signal?.removeEventListener('abort', end);
  }
}

/** The body; every piece of a stream that leaves starts the timer anew, so that only standstill is cut. */
function bodyOf({ body, stream }: Call, timer: NodeJS.Timeout): string | Readable | null {
  if (stream === undefined) return body === undefined ? null : JSON.stringify(body);
  return Readable.from(
    (async function* () {
      for await (const piece of piecesOf(stream)) {
        timer.refresh();
        yield piece;
      }
    })(),
    { objectMode: false },
  );
}

function piecesOf(stream: Readable | Buffer): AsyncIterable<Buffer> | Iterable<Buffer> {
  if (!Buffer.isBuffer(stream)) return stream as AsyncIterable<Buffer>;
  const starts = Array.from(
    { length: Math.ceil(stream.length / PIECE_BYTES) },
    (_, index) => index * PIECE_BYTES,
  );
  return starts.map((start) => stream.subarray(start, start + PIECE_BYTES));
}

async function requestOf(context: Context, call: Call): Promise<Omit<Dispatcher.RequestOptions, 'body'>> {
  const prefix = context.base.pathname.replace(/\/$/, '');
  const path = `${prefix}${call.path}`;
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined) query.set(key, String(value));
  }
  // As the other side sees it: the proxy that a path in the URL leads to takes it off.
  const authorization = await context.authorize?.(call.method, call.path);
  return {
    origin: context.base.origin,
    method: call.method,
    path: query.size === 0 ? path : `${path}?${query.toString()}`,
    headers: {
      accept: 'application/json, application/problem+json',
      ...(authorization !== undefined && { authorization }),
      ...(call.body !== undefined && { 'content-type': 'application/json' }),
      ...(Buffer.isBuffer(call.stream) && { 'content-length': String(call.stream.length) }),
      ...call.headers,
    },
  };
}

function unreached({ base, unreachable }: Context, cause: unknown, timeoutMs?: number): CodedError {
  const system = systemCode(cause);
  // A full disk under an upload's source, say, is not the control plane's doing.
  const own = toCoded(cause);
  if (timeoutMs === undefined && own.code !== 'INTERNAL' && own.code !== 'ABORTED') return own;
  const why =
    timeoutMs === undefined ? (system ?? redactText(String(cause))) : `no answer within ${timeoutMs} ms`;
  return coded(unreachable, {
    detail: `${base.origin} (${why}); check that it runs and that the URL is right`,
    cause,
  });
}

/** A problem of the other side as the same coded error here. */
function refusal(status: number, headers: Answer<string>['headers'], text: string): CodedError {
  const retryAfterS = Number(headers['retry-after']);
  const retryAfterMs =
    headers['retry-after'] !== undefined && retryAfterS >= 0 ? retryAfterS * 1000 : undefined;
  const problem = problemOf(text);
  if (problem !== undefined && isProblemCode(problem.code)) {
    const { code, detail, fields } = problem;
    return coded(code, { detail, fields, retryAfterMs });
  }
  const detail = problem?.detail ?? `it answered ${status}`;
  return coded(codeOfStatus(status), { detail, retryAfterMs });
}

function problemOf(text: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return matches(Problem, value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function codeOfStatus(status: number): ProblemCode {
  if (status === 401) return 'CREDENTIAL_INVALID';
  if (status === 403) return 'FORBIDDEN';
  if (status === 404) return 'NOT_FOUND';
  if (status === 409) return 'CONFLICT';
  if (status === 429) return 'RATE_LIMITED';
  return status >= 500 ? 'UNAVAILABLE' : 'BAD_REQUEST';
}
