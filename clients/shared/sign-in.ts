import { consoleClientId, consoleScope } from '../../common/contract/oauth-clients.ts';

/** What the provider of OAuth says of itself (OpenID Connect Discovery 1.0). */
interface Provider {
  readonly issuer: string;
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
}

/** One request to be signed in; what it is answered with has to be about it. */
interface Request {
  readonly state: string;
  readonly verifier: string;
}

const storageKey = 'nearcast.sign-in';
/** A token with less left is renewed before it is used. */
const renewMs = 60_000;

// In memory alone: what a script finds in storage it can carry away, and after a reload the browser's own session gives a new one.
let held: { readonly token: string; readonly endMs: number } | undefined;
let renewing: Promise<boolean> | undefined;
let provider: Promise<Provider> | undefined;

/** The access token to call with, renewed where it ends soon; undefined where the browser is not signed in any more. */
export async function currentToken(): Promise<string | undefined> {
  // Without the control plane there is none; the call that it is for will say so.
  if (held === undefined || held.endMs - Date.now() < renewMs) await signInSilently().catch(() => false);
  return held !== undefined && held.endMs > Date.now() ? held.token : undefined;
}

/** Signs in where the browser has a session, without leaving the page; says whether it has. */
export function signInSilently(): Promise<boolean> {
  renewing ??= renew().finally(() => {
    renewing = undefined;
  });
  return renewing;
}

/** Leads to the page on which a person signs in, and from there back. */
export async function beginSignIn(): Promise<void> {
  const request = newRequest();
  // Neither opens anything by itself: the code that they belong to is in the address alone, once.
  window.sessionStorage.setItem(storageKey, JSON.stringify(request));
  window.location.assign(await authorizeUrl(request));
}

/** Goes on where the sign-in page has led back to; says whether a person is signed in now. */
export async function finishSignIn(): Promise<boolean> {
  const answer = new URL(window.location.href);
  if (!answer.searchParams.has('state')) return false;
  const stored = window.sessionStorage.getItem(storageKey);
  window.sessionStorage.removeItem(storageKey);
  window.history.replaceState(undefined, '', window.location.pathname);
  return stored !== null && (await takeAnswer(answer, JSON.parse(stored) as Request));
}

/** Ends the browser's session, and with it the console's tokens in every tab. */
export async function signOut(): Promise<void> {
  held = undefined;
  await fetch('/account/sign-out', { method: 'POST', body: new URLSearchParams(), redirect: 'manual' });
}

/** Whether this page may sign in at all: browsers give hashes to pages over TLS and of this machine only. */
export const canSignIn: boolean = window.isSecureContext;

async function renew(): Promise<boolean> {
  if (!canSignIn) return false;
  const request = newRequest();
  const url = new URL(await authorizeUrl(request));
  url.searchParams.set('prompt', 'none');
  // Of this origin from end to end; the answer stands in the address to which it leads.
  const reply = await fetch(url.pathname + url.search, { headers: { accept: 'text/html' } });
  return takeAnswer(new URL(reply.url), request);
}

async function takeAnswer({ searchParams }: URL, { state, verifier }: Request): Promise<boolean> {
  const { issuer, token_endpoint: endpoint } = await discover();
  const code = searchParams.get('code');
  // RFC 9700 §4.4.2.1: an answer that another provider was asked for is none; nor is one that nobody asked for.
  const isOurs = searchParams.get('state') === state && searchParams.get('iss') === issuer;
  if (code === null || !isOurs) {
    held = undefined;
    return false;
  }
  const fields = {
    grant_type: 'authorization_code',
    client_id: consoleClientId,
    code,
    code_verifier: verifier,
  };
  const body = new URLSearchParams({ ...fields, redirect_uri: redirectUri(issuer) });
  const askedMs = Date.now();
  const reply = await fetch(new URL(endpoint).pathname, { method: 'POST', body });
  if (!reply.ok) return false;
  const { access_token: token, expires_in: lifeS } = (await reply.json()) as TokenReply;
  held = { token, endMs: askedMs + lifeS * 1000 };
  return true;
}

interface TokenReply {
  readonly access_token: string;
  readonly expires_in: number;
}

async function authorizeUrl({ state, verifier }: Request): Promise<string> {
  const { issuer, authorization_endpoint: endpoint } = await discover();
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const url = new URL(endpoint);
  url.search = new URLSearchParams({
    ...{ client_id: consoleClientId, response_type: 'code', scope: consoleScope, state },
    ...{ redirect_uri: redirectUri(issuer), code_challenge_method: 'S256' },
    code_challenge: base64url(new Uint8Array(digest)),
  }).toString();
  return url.href;
}

function redirectUri(issuer: string): string {
  return `${issuer}/console/`;
}

function discover(): Promise<Provider> {
  provider ??= fetch('/.well-known/openid-configuration')
    .then((reply) => reply.json() as Promise<Provider>)
    .catch((error: unknown) => {
      provider = undefined;
      throw error;
    });
  return provider;
}

function newRequest(): Request {
  const random = (): string => base64url(crypto.getRandomValues(new Uint8Array(32)));
  return { state: random(), verifier: random() };
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
