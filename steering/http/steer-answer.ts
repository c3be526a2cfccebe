import { parse as parseQuery } from 'node:querystring';
import type { ContentSteeringReply } from '../../common/contract/steering.ts';
import type { Address } from '../../common/core/ip-address.ts';
import { plainHost } from '../../common/core/lean-request.ts';
import type { DeliveryClaims } from '../../common/core/tokens/delivery-token.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { LeanAnswerer, LeanAsked } from '../../common/runtime/lean-front.ts';
import type { LeanAnswer } from '../../common/runtime/lean-replies.ts';
import type { Brain } from '../brain.ts';
import { readSteeredSession, steeredSessionQuery } from '../core/steered-session.ts';
import type { ClientAddressOf } from '../../common/runtime/client-address.ts';

export interface SteerOptions {
  readonly brain: Brain;
  readonly clientAddressOf: ClientAddressOf;
  /** Where players reach steering; the request's own host unless given. */
  readonly publicUrl: string | undefined;
  readonly clock: Clock;
}

/** A player's request with what was verified of it. */
export interface SteerRequest {
  readonly token: string;
  readonly claims: DeliveryClaims;
  readonly query: Readonly<Record<string, unknown>>;
  readonly raw: SteerSender;
}

/** Who sent a request, as far as its connection and its headers say it. */
export type SteerSender = Pick<LeanAsked, 'headers' | 'socket'>;

/** The path of a session's steering, before its token. */
export const steerPath = '/v1/steer/';

/**
 * Answers one player of HLS or DASH content steering.
 *
 * @throws TOKEN_REVOKED; ABORTED where the caller has gone.
 */
export function answerSteer(options: SteerOptions, { token, claims, query, raw }: SteerRequest): LeanAnswer {
  const { brain, clock, publicUrl } = options;
  refuseRevoked(brain, claims);
  const session = readSteeredSession(query, claims.pathways ?? [], Math.floor(clock.nowMs() / 1000));
  const client = senderAddress(raw, options.clientAddressOf);
  const { pathways, ttlS } = brain.priority({ client, bundle: claims.bundle ?? '' }, session);
  const reload = `${publicUrl ?? ownUrl(raw)}${steerPath}${token}`;
  const answer: ContentSteeringReply = {
    VERSION: 1,
    TTL: ttlS,
    'RELOAD-URI': `${reload}?${steeredSessionQuery(session, pathways[0])}`,
    'PATHWAY-PRIORITY': [...pathways],
  };
  // DASH asks for JSON (ETSI TS 103 998 §6), HLS has a type of its own.
  return { headers: isDash(query) ? dashHeaders : hlsHeaders, body: JSON.stringify(answer) };
}

function isDash(query: SteerRequest['query']): boolean {
  for (const name in query) if (name.startsWith('_DASH_')) return true;
  return false;
}

const common = {
  'cache-control': 'no-store',
  'access-control-allow-origin': '*',
  'x-content-type-options': 'nosniff',
};
const hlsHeaders = { ...common, 'content-type': 'application/vnd.apple.steering-list' };
const dashHeaders = { ...common, 'content-type': 'application/json' };

/**
 * Makes what answers players without the framework, whose hooks cost as much as the answer. It leaves to the framework's
 * route whatever it does not answer with 200, so that no refusal is said twice. A rate needs no counting here: an address
 * that asks often with a token that verifies takes less than the counting would.
 */
export function createSteerFastPath(
  options: SteerOptions & { readonly verify: (token: string) => DeliveryClaims },
): LeanAnswerer {
  return (asked) => {
    const { url } = asked;
    if (!url.startsWith(steerPath)) return undefined;
    const end = url.indexOf('?');
    const token = url.slice(steerPath.length, end < 0 ? undefined : end);
    return tryAnswer(options, asked, { token, search: end < 0 ? '' : url.slice(end + 1) });
  };
}

function tryAnswer(
  options: Parameters<typeof createSteerFastPath>[0],
  raw: SteerSender,
  { token, search }: { token: string; search: string },
): LeanAnswer | undefined {
  try {
    const claims = options.verify(token);
    if (claims.scope !== 'steer') return undefined;
    return answerSteer(options, { token, claims, query: parseQuery(search), raw });
  } catch {
    // The framework's route meets it again, and says it.
    return undefined;
  }
}

/** @throws TOKEN_REVOKED where the session, or its bundle, is revoked. */
export function refuseRevoked(brain: Brain, { session, bundle }: DeliveryClaims): void {
  const view = brain.view();
  if (view?.revokedSessions.has(session) === true || view?.revokedBundles.has(bundle ?? '') === true) {
    throw coded('TOKEN_REVOKED');
  }
}

/**
 * Whoever asks, as far as proxies are trusted to say it.
 *
 * @throws ABORTED where the caller has gone.
 */
export function senderAddress({ socket, headers }: SteerSender, clientAddressOf: ClientAddressOf): Address {
  const address = clientAddressOf({
    remoteAddress: socket.remoteAddress,
    forwardedFor: headers['x-forwarded-for'],
  });
  if (address === undefined) throw coded('ABORTED', 'the caller has gone');
  return address;
}

/** The address by which the player found us. A Host that is none goes back to its sender alone, and is not stored. */
function ownUrl({ headers, socket }: SteerSender): string {
  const { host } = headers;
  if (host !== undefined && plainHost.test(host)) return `http://${host}`;
  const { localAddress, localPort } = socket;
  return `http://${localAddress?.includes(':') === true ? `[${localAddress}]` : localAddress}:${localPort}`;
}
