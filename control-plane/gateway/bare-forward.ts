import { problemAnswer } from '../../common/runtime/http-errors.ts';
import type { BareRequest, BareServer } from '../../common/runtime/http-bare.ts';
import { addressKey, type NamedRate } from '../../common/runtime/http-rates.ts';
import type { BareReply } from '../../common/runtime/bare-reply.ts';
import { toCoded } from '../../common/runtime/errors.ts';
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
 * Forwards plain GETs past the framework, which costs more than all else that is done for them. Whatever one of its filters would
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
    const fields = { ...request.fields, ...pageFields, ...rateFields };
    void send(request, reply, { route, fields, bare, log, isPrefix: path === route.prefix });
    return true;
  });
}

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
): Readonly<Record<string, string>> | undefined {
  const key = addressKey({ ip: address });
  const client = `address ${key}`;
  if (!rates.mayTake(key, addressRate)) return undefined;
  if (clientRate !== undefined && !rates.mayTake(client, clientRate)) return undefined;
  const fields = rates.take(key, addressRate);
  return { ...(clientRate === undefined ? fields : rates.take(client, clientRate)) };
}

interface Sending {
  readonly route: BareRoute;
  /** The gateway's own of the answer. */
  readonly fields: Readonly<Record<string, string>>;
  readonly bare: BareServer;
  readonly log: Log;
  readonly isPrefix: boolean;
}

async function send(
  { id, url, rawFields, address, host, protocol }: BareRequest,
  reply: BareReply,
  { route, fields, bare, log, isPrefix }: Sending,
): Promise<void> {
  const startedMs = performance.now();
  const asker = { address, host, protocol, requestId: id };
  try {
    const request = { method: 'GET', path: url, rawFields, body: null, asker };
    await forward(request, sinkOf(reply, fields), route.options);
  } catch (error) {
    const asked = { method: 'GET', url, id, log: log.child({ reqId: id }) };
    const { status, fields: own, body } = problemAnswer(toCoded(error), asked);
    const bytes = Buffer.from(body);
    if (!reply.isGone) {
      reply.begin(status, { ...fields, ...own, 'content-length': String(bytes.length) });
      reply.write(bytes, () => undefined);
      reply.end();
    }
  }
  const labels = {
    method: 'GET',
    route: `${route.prefix}${isPrefix ? '' : '/*'}`,
    status: String(reply.status),
  };
  if (reply.status > 0) bare.observe(labels, (performance.now() - startedMs) / 1000);
}

/** The answer with the gateway's own fields. */
function sinkOf(reply: BareReply, fields: Sending['fields']): ForwardSink {
  return {
    get isGone() {
      return reply.isGone;
    },
    get hasBegun() {
      return reply.hasBegun;
    },
    whenGone: (leave) => {
      reply.whenGone(leave);
    },
    begin: (status, theirs) => {
      reply.begin(status, answerFields(theirs, fields));
    },
    write: (chunk, resume) => reply.write(chunk, resume),
    end: () => {
      reply.end();
    },
    cut: () => {
      reply.cut();
    },
  };
}
