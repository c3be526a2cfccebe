import type { Static, TSchema } from '../common/contract/type.ts';

import { Problem } from '../common/contract/problem.ts';
import { coded, isProblemCode } from '../common/runtime/errors.ts';
import { matches, parseAs } from '../common/runtime/parse.ts';

/** One call: a path of the control plane, or an absolute URL of another plane. */
export interface ApiCall<T extends TSchema> {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  readonly path: string;
  readonly body?: unknown;
  readonly reply: T;
  readonly timeoutMs?: number;
  /** What moves money is done once for a key, however often it is asked. */
  readonly idempotencyKey?: string;
  /** The etag of what a change is made upon. */
  readonly ifMatch?: string;
}

/** The contract over HTTP, as an operator. */
export interface Api {
  readonly server: string;
  call<T extends TSchema>(call: ApiCall<T>): Promise<Static<T>>;
  /** The bytes of an answer, as they come. */
  stream(path: string): Promise<ReadableStream<Uint8Array>>;
  /** A call whose body is a stream of bytes; returns the reply's JSON by schema. */
  send<T extends TSchema>(call: SendCall<T>): Promise<Static<T>>;
}

export interface SendCall<T extends TSchema> {
  readonly path: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly body: ReadableStream<Uint8Array>;
  readonly reply: T;
}

const callTimeoutMs = 15_000;
const replySizeBytesMax = 64 * 1024 * 1024;

/**
 * Calls with a token; with an empty one as nobody. Failures are coded: the plane's own problem code, or CONTROL_UNREACHABLE /
 * STEERING_UNREACHABLE where there was no answer.
 */
export function createApi(options: { server: string; token: string; signal: AbortSignal }): Api {
  const credential = options.token === '' ? {} : { authorization: `Bearer ${options.token}` };
  const ask = async (url: URL, init: RequestInit & { duplex?: 'half' }): Promise<Response> =>
    await fetch(url, { ...init, redirect: 'error' }).catch((cause: unknown) => {
      throw unreachable(url, options, cause);
    });
  const request = async (url: URL, init: RequestInit & { duplex?: 'half' }): Promise<unknown> =>
    await readReply(await ask(url, init), url);
  return {
    server: options.server,
    async call({ method = 'GET', path, body, reply, timeoutMs = callTimeoutMs, idempotencyKey, ifMatch }) {
      const url = new URL(path, options.server);
      const value = await request(url, {
        method,
        headers: {
          ...credential,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
          ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]),
      });
      return parseAs(reply, value, { what: `the answer of ${url.pathname}` });
    },
    async stream(path) {
      const url = new URL(path, options.server);
      const response = await ask(url, { headers: { ...credential }, signal: options.signal });
      if (response.ok && response.body !== null) return response.body;
      await readReply(response, url);
      throw coded('INTERNAL', `${url.origin}${url.pathname} answered nothing`);
    },
    async send({ path, offsetBytes, lengthBytes, body, reply }) {
      const url = new URL(path, options.server);
      const value = await request(url, {
        method: 'PATCH',
        headers: {
          ...credential,
          'content-type': 'application/offset+octet-stream',
          'content-length': String(lengthBytes),
          'upload-offset': String(offsetBytes),
        },
        body,
        duplex: 'half',
        signal: options.signal,
      });
      return parseAs(reply, value, { what: `the answer of ${url.pathname}` });
    },
  };
}

function unreachable(url: URL, options: { server: string; signal: AbortSignal }, cause: unknown): Error {
  if (options.signal.aborted) return coded('ABORTED', { cause });
  if (cause instanceof Error && cause.name === 'TimeoutError') {
    return coded('TIMEOUT', {
      detail: `${url.origin} did not answer in time`,
      cause,
    });
  }
  const isControl = url.origin === new URL(options.server).origin;
  const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
  return coded(isControl ? 'CONTROL_UNREACHABLE' : 'STEERING_UNREACHABLE', {
    detail: `${url.origin}: ${reason}. Is it running? Name another with --server or NEARCAST_SERVER`,
    cause,
  });
}

async function readReply(response: Response, url: URL): Promise<unknown> {
  const length = Number(response.headers.get('content-length') ?? 0);
  if (length > replySizeBytesMax) throw coded('INTERNAL', `the answer of ${url.pathname} is too large`);
  const text = await response.text();
  const value = text === '' ? undefined : parseJson(text, url);
  if (response.ok) return value;
  if (matches(Problem, value) && isProblemCode(value.code)) {
    throw coded(value.code, {
      detail: value.detail,
      fields: value.fields ?? [],
    });
  }
  throw coded('INTERNAL', `${url.origin}${url.pathname} answered ${response.status}`);
}

function parseJson(text: string, url: URL): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw coded('INTERNAL', {
      detail: `${url.origin} does not answer as Nearcast does`,
      cause,
    });
  }
}
