import type { Pool } from 'undici';
import { backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { coded, isCoded, systemCode, type CodedError } from '../../runtime/errors.ts';
import { redactText } from '../../runtime/redact.ts';

export interface OpenSearchServer {
  /** `https://host:9200`; a path comes before every call's. */
  readonly origin: string;
  readonly path: string;
  readonly login: { readonly user: string; readonly password: string } | undefined;
  /** Certificates (PEM) of the authority that the server is trusted by, instead of the system's. */
  readonly ca: string | undefined;
  readonly clock: Clock;
}

/** Calls may all be repeated: documents are written whole, by their ids. */
export interface OpenSearchCall {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  /** An object goes as JSON, a text as it is: lines of JSON. */
  readonly body?: object | string;
  readonly timeoutMs: number;
  readonly retriesMax: number;
  /** A refusal with one of these is an answer. */
  readonly answers?: readonly number[];
}

export interface OpenSearchAnswer {
  readonly status: number;
  readonly value: unknown;
}

/** What a server said of a failure. */
export interface OpenSearchFailure {
  readonly type?: string;
  readonly reason?: string;
}

const connections = 16;
const connectMs = 2000;
const keepAliveMs = 30_000;
const answerBytesMax = 64 * 1024 * 1024;
const retries = { firstMs: 100, maxMs: 2000 };
const reasonCharactersMax = 300;
/** Of these the next try may do better. */
const retryStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * The JSON interface of an OpenSearch server. Sockets and the HTTP library come with the first call. Errors: STORE_UNAVAILABLE,
 * STORE_DENIED for a login that is refused, DISK_FULL where the server takes no more; none of them holds the login.
 */
export class OpenSearchClient {
  readonly #server: OpenSearchServer;
  readonly #authorization: string | undefined;
  #pool: Promise<Pool> | undefined;

  constructor(server: OpenSearchServer) {
    this.#server = server;
    const { login } = server;
    if (login !== undefined)
      this.#authorization = `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`;
  }

  async call(call: OpenSearchCall): Promise<OpenSearchAnswer> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(call);
      } catch (error) {
        const { failure, mayRetry } = asFailure(error);
        if (!mayRetry || attempt >= call.retriesMax) throw failure;
        await this.#server.clock.sleep(backoffMs(retries, attempt));
      }
    }
  }

  async close(): Promise<void> {
    await (await this.#pool)?.destroy();
  }

  async #once({ method, path, body, timeoutMs, answers = [] }: OpenSearchCall): Promise<OpenSearchAnswer> {
    const pool = await (this.#pool ??= this.#connect());
    const isLines = typeof body === 'string';
    const answer = await this.#reached(async () => {
      const { statusCode: status, body: bytes } = await pool.request({
        ...{ method, path: `${this.#server.path}${path}` },
        headers: {
          ...(this.#authorization !== undefined && { authorization: this.#authorization }),
          ...(body !== undefined && {
            'content-type': isLines ? 'application/x-ndjson' : 'application/json',
          }),
        },
        body: body === undefined ? null : isLines ? body : JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status, text: await readText(bytes) };
    });
    const value = parsed(answer.text);
    const { status } = answer;
    if ((status < 300 && value !== undefined) || answers.includes(status)) return { status, value };
    throw this.#refusal(status, value);
  }

  async #connect(): Promise<Pool> {
    const undici = await import('undici');
    const { origin, ca } = this.#server;
    return new undici.Pool(origin, {
      ...{ connections, keepAliveTimeout: keepAliveMs },
      // Every attempt has a deadline of its own.
      ...{ headersTimeout: 0, bodyTimeout: 0 },
      connect: { timeout: connectMs, ...(ca !== undefined && { ca }) },
    });
  }

  async #reached<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isCoded(error)) throw error;
      const why = systemCode(error) ?? (error instanceof Error ? redactText(error.message) : 'no answer');
      throw new Failed(
        coded('STORE_UNAVAILABLE', {
          detail: `${this.#named()} cannot be reached (${why}); check that it runs and that --search-url is right`,
          cause: error,
        }),
      );
    }
  }

  #refusal(status: number, value: unknown): CodedError | Failed {
    const { type = '', reason = '' } = failureOf(value);
    const said = `it answered ${status}${type === '' ? '' : ` (${type}: ${reason.slice(0, reasonCharactersMax)})`}`;
    // The flood stage of its disk watermark forbids writing.
    if (type === 'cluster_block_exception' && /flood-stage|read-only/.test(reason))
      return coded('DISK_FULL', `${this.#named()} takes no more: ${said}`);
    if (status === 401 || status === 403)
      return coded(
        'STORE_DENIED',
        `${this.#named()} refuses the login; check the user in --search-url and --search-password-file: ${said}`,
      );
    const failure = coded('STORE_UNAVAILABLE', `${this.#named()} cannot do it: ${said}`);
    return retryStatuses.has(status) ? new Failed(failure) : failure;
  }

  #named(): string {
    return `the search server ${this.#server.origin}`;
  }
}

/** A failure that another try may not meet. */
class Failed extends Error {
  readonly failure: CodedError;

  constructor(failure: CodedError) {
    super(failure.message);
    this.failure = failure;
  }
}

function asFailure(error: unknown): { failure: unknown; mayRetry: boolean } {
  return error instanceof Failed
    ? { failure: error.failure, mayRetry: true }
    : { failure: error, mayRetry: false };
}

/** What an answer says went wrong. */
export function failureOf(value: unknown): OpenSearchFailure {
  if (typeof value !== 'object' || value === null || !('error' in value)) return {};
  const { error } = value;
  return typeof error === 'object' && error !== null ? error : { type: String(error) };
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    if (sizeBytes > answerBytesMax)
      throw coded(
        'STORE_UNAVAILABLE',
        `the search server's answer is larger than ${answerBytesMax} bytes; ask for less at once`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** JSON; undefined for what is none, as the page of a proxy. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
