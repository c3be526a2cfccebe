import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../common/runtime/http-app.ts';
import { addressKey, type NamedRate, type TakeRate } from '../../common/runtime/http-rates.ts';
import type { Priority } from './core/priority-gate.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether a client's rate is taken here; a service behind the gateway takes it itself. */
    countsClients?: boolean;
  }
}

/** What one client may ask; each may come `burstSeconds` of it at once. */
export interface ClientRates {
  readonly playbackPerSecond: number;
  readonly signInPerSecond: number;
  readonly browsePerSecond: number;
  readonly backgroundPerSecond: number;
  readonly burstSeconds: number;
}

/**
 * Limits what each client may ask of each kind of route, for every route that is registered from now on: a viewer whoever else
 * has the same address, a playback session, or, where no credential is asked for, an address. Nodes, services and operators are
 * held to the rate of their address only.
 */
export function limitClients(app: App, { take, rates }: { take: TakeRate; rates: ClientRates }): void {
  const named = namedRates(rates);
  app.addHook('onRoute', (route) => {
    const { load, countsClients = true } = route.config ?? {};
    if (load === undefined || !countsClients) return;
    const rate = named[load.priority];
    // After the credential, which the routes' own hooks end with.
    route.onRequest = [
      ...[route.onRequest ?? []].flat(),
      async (request: FastifyRequest, reply: FastifyReply) => {
        const client = clientOf(request);
        if (client !== undefined) take(client, rate, reply);
      },
    ];
  });
}

/** What one client may ask of routes of each priority. */
export function namedRates(rates: ClientRates): Record<Priority, NamedRate> {
  const rate = (name: Priority, perSecond: number): NamedRate => ({
    name,
    perSecond,
    burst: Math.max(1, Math.round(perSecond * rates.burstSeconds)),
  });
  return {
    playback: rate('playback', rates.playbackPerSecond),
    'sign-in': rate('sign-in', rates.signInPerSecond),
    browse: rate('browse', rates.browsePerSecond),
    background: rate('background', rates.backgroundPerSecond),
  };
}

function clientOf(request: FastifyRequest): string | undefined {
  const { caller } = request;
  switch (caller.kind) {
    case 'access':
      return caller.role === 'viewer' ? `viewer ${caller.sub}` : undefined;
    case 'delivery':
      return `session ${caller.claims.session}`;
    case 'node':
      return undefined;
    case 'none':
      return `address ${addressKey(request)}`;
  }
}
