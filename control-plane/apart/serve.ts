import { assert, coded } from '../../common/runtime/errors.ts';
import type { Caller } from '../../common/runtime/http-credential.ts';
import { callerGone, type HttpServer } from '../../common/runtime/http-server.ts';
import { internalScope, pathOf, type Calls, type Interface } from './interface.ts';

// Services ask on behalf of many clients, who were counted when they came.
const rateLimit = { max: 100_000, timeWindow: 1000 };
const askBytesMax = 256 * 1024;

/** Refuses whoever is no service of this control plane: FORBIDDEN. For routes whose credential is `service`. */
export function requireInternal(caller: Caller): void {
  if (caller.kind === 'access' && caller.scopes?.includes(internalScope) === true) return;
  throw coded('FORBIDDEN', `it takes a service of this control plane, with the scope ${internalScope}`);
}

/** Adds a route for each verb of an interface. Errors go to the caller with their codes. */
export function serveInterface(
  { app, draining }: Pick<HttpServer, 'app' | 'draining'>,
  one: Interface,
  calls: Calls<Interface>,
): void {
  for (const [verb, { ask, answer, ...limits }] of Object.entries(one.verbs)) {
    const call = calls[verb];
    assert(call !== undefined, `nothing answers ${pathOf(one, verb)}`);
    const holds = limits.waitMs === undefined ? 'answer' : 'start';
    app.post(
      pathOf(one, verb),
      {
        config: { audit: false, credential: ['service'], load: { priority: 'playback', holds }, rateLimit },
        bodyLimit: limits.askBytesMax ?? askBytesMax,
        schema: {
          summary: `For services of this control plane: ${one.name}, ${verb}`,
          tags: ['internal'],
          body: ask,
          response: { 200: answer },
        },
      },
      async (request, reply) => {
        requireInternal(request.caller);
        return call(request.body, {
          signal: AbortSignal.any([draining, callerGone(request, reply)]),
        });
      },
    );
  }
}
