import type { Priority } from './priority-gate.ts';

/** What decides how important a route is. */
export interface RouteKind {
  readonly method: string;
  /** The pattern; undefined where no route is. */
  readonly url: string | undefined;
  /** Who may call it. */
  readonly credential: readonly string[];
}

/** How a route's requests count. */
export interface RouteLoad {
  readonly priority: Priority;
  /** `start`: the answer waits for something to happen, or streams, so the place is given back when the handler begins. */
  readonly holds: 'answer' | 'start';
}

/** The first that fits counts; each covers what is below it. */
const byUrl: readonly (readonly [prefix: string, Priority])[] = [
  ['/v1/playback-sessions', 'playback'],
  ['/v1/playback', 'playback'],
  // Without these boxes count as lost and steering goes blind: viewers would be cut off.
  ['/v1/nodes/:id/heartbeat', 'playback'],
  ['/v1/nodes/:id/address', 'playback'],
  ['/v1/steering-map', 'playback'],
  ['/v1/route-tables', 'playback'],
  ['/v1/holdings', 'playback'],
  ['/v1/revocations', 'playback'],
  ['/v1/keyset', 'playback'],
  ['/v1/enrol', 'sign-in'],
  ['/oauth', 'sign-in'],
  ['/account', 'sign-in'],
  ['/v1/profiles/:id/unlock', 'sign-in'],
  ['/v1/profiles/:id/viewing', 'background'],
  ['/v1/uploads', 'background'],
  ['/v1/events', 'background'],
];

/** Routes of which an answer takes as long as it likes. */
const open = new Set([
  'GET /v1/steering-map',
  'GET /v1/revocations',
  'GET /v1/nodes/:id/fill-manifest',
  'POST /v1/encode-jobs/lease',
  'PATCH /v1/uploads/:id',
]);

/**
 * How a route's requests count under load. What only nodes call is background unless viewers depend on it at once; operators
 * come in beside those who sign in, so that somebody can act while the rest of the world browses.
 */
export function loadOf({ method, url, credential }: RouteKind): RouteLoad {
  return {
    priority: priorityOf(url ?? '', credential),
    holds: open.has(`${method} ${url ?? ''}`) ? 'start' : 'answer',
  };
}

function priorityOf(url: string, credential: readonly string[]): Priority {
  const found = byUrl.find(([prefix]) => url === prefix || url.startsWith(`${prefix}/`));
  if (found !== undefined) return found[1];
  const only = (test: (kind: string) => boolean): boolean => credential.length > 0 && credential.every(test);
  if (only((kind) => kind === 'node' || kind.startsWith('node:'))) return 'background';
  if (only((kind) => kind === 'operator' || kind === 'admin' || kind === 'service')) return 'sign-in';
  return 'browse';
}
