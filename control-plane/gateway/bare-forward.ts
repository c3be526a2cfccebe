import type { FieldList } from '../../common/core/lean-request.ts';
import type { CodedError } from '../../common/runtime/errors.ts';
import { problemAnswer } from '../../common/runtime/http-errors.ts';
import type { BareRequest, BareServer } from '../../common/runtime/http-bare.ts';
import { addressKey, type NamedRate } from '../../common/runtime/http-rates.ts';
import type { AnswerWatcher, AnswerWriter, BareReply } from '../../common/runtime/bare-reply.ts';
import type { Log } from '../../common/runtime/log.ts';
import { answerFields } from './core/forwarding.ts';
import type { Priority } from './core/priority-gate.ts';
import { forward, type ForwardOptions, type ForwardSink } from './forward.ts';
import { pageFields } from './pages.ts';

/** What begins with a prefix, and how its requests count. */
export interface BareRoute {
  readonly prefix: string;
  readonly priority: Priority;
  /** What one client may ask; undefined where the service counts clients itself. */
  readonly clientRate: NamedRate | undefined;
  readonly options: ForwardOptions;
}

export interface BareForwardOptions {
  readonly bare: BareServer;
  readonly routes: readonly BareRoute[];
  /** Whether a request of a priority would be let in at once. */
  readonly hasRoom: (priority: Priority) => boolean;
  readonly log: Log;
}

/**
 * Forwards plain GETs, and POSTs of some JSON, past the framework, which costs more than all else that is done for them. Whatever one of its filters would
 * refuse, or make wait, is left to it, so that each refusal is said in one place.
 */
export function forwardBare({ bare, routes, hasRoom, log }: BareForwardOptions): void {
  // The longest prefix counts.
  const ordered = [...routes].sort((a, b) => b.prefix.length - a.prefix.length);
  bare.take((request, reply) => {
    const path = pathOf(request.url);
    const route = path === undefined ? undefined : ordered.find(({ prefix }) => isBelow(path, prefix));
    if (route === undefined || !hasRoom(route.priority)) return false;
    const rateFields = takeRates(bare, route, request.address);
    if (rateFields === undefined) return false;
    const fields = [...request.fields, ...pageFieldList, ...rateFields];
    const { method, url, rawFields, body, address, host, protocol, id } = request;
    const asker = { address, host, protocol, requestId: id };
    const forwarded = { method, path: url, rawFields, body, asker };
    const pattern = path === route.prefix ? path : `${route.prefix}/*`;
    forward(forwarded, new GatewaySink(reply, { fields, request, pattern, bare, log }), route.options);
    return true;
  });
}

const pageFieldList: FieldList = Object.entries(pageFields).flat();

/** Undefined for one that the framework's router would have to read: escapes are its own matter. */
function pathOf(url: string): string | undefined {
  const end = url.indexOf('?');
  const path = end < 0 ? url : url.slice(0, end);
  return path.includes('%') ? undefined : path;
}

function isBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');
}

/** Takes what the request costs its client, once nobody would refuse it; undefined where somebody would. */
function takeRates(
  { rates, addressRate }: BareServer,
  { clientRate }: BareRoute,
  address: string,
): FieldList | undefined {
  const key = addressKey({ ip: address });
  const client = `address ${key}`;
  if (!rates.mayTake(key, addressRate)) return undefined;
  if (clientRate !== undefined && !rates.mayTake(client, clientRate)) return undefined;
  const ofAddress = rates.take(key, addressRate);
  const fields = clientRate === undefined ? ofAddress : rates.take(client, clientRate);
  return ['ratelimit-policy', fields['ratelimit-policy'], 'ratelimit', fields.ratelimit];
}

interface Sending {
  /** The gateway's own of the answer. */
  readonly fields: FieldList;
  readonly request: BareRequest;
  /** What metrics call the route. */
  readonly pattern: string;
  readonly bare: BareServer;
  readonly log: Log;
}

/** The answer with the gateway's own fields. */
class GatewaySink implements ForwardSink {
  readonly #reply: BareReply;
  readonly #sending: Sending;
  readonly #startedMs = performance.now();

  constructor(reply: BareReply, sending: Sending) {
    this.#reply = reply;
    this.#sending = sending;
  }

  get isGone(): boolean {
    return this.#reply.isGone;
  }

  get hasBegun(): boolean {
    return this.#reply.hasBegun;
  }

  watch(watcher: AnswerWatcher | undefined): void {
    this.#reply.watch(watcher);
  }

  begin(status: number, theirs: FieldList): void {
    this.#reply.begin(status, answerFields(theirs, this.#sending.fields));
  }

  write(chunk: Buffer, writer: AnswerWriter): boolean {
    return this.#reply.write(chunk, writer);
  }

  end(): void {
    this.#reply.end();
  }

  cut(): void {
    this.#reply.cut();
  }

  over(fault: CodedError | undefined): void {
    if (fault !== undefined && !this.isGone) this.#refuse(fault);
    const { pattern, bare, request } = this.#sending;
    const { status } = this.#reply;
    if (status === 0) return;
    const labels = { method: request.method, route: pattern, status: String(status) };
    bare.observe(labels, (performance.now() - this.#startedMs) / 1000);
  }

  #refuse(fault: CodedError): void {
    const { request, log } = this.#sending;
    const { id, method, url } = request;
    const asked = { method, url, id, log: log.child({ reqId: id }) };
    const { status, fields, body } = problemAnswer(fault, asked);
    const bytes = Buffer.from(body);
    this.begin(status, [...Object.entries(fields).flat(), 'content-length', String(bytes.length)]);
    this.write(bytes, { drained: () => undefined });
    this.end();
  }
}
