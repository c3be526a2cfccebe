import type { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Provider } from 'oidc-provider';
import type { SigningKey } from '../../../../common/runtime/keys.ts';
import type { Log } from '../../../../common/runtime/log.ts';
import { oidcConfiguration, type OidcConfigurationOptions } from './configuration.ts';
import { keepOwnFields } from './password-epoch.ts';

export interface OidcOptions extends Pick<OidcConfigurationOptions, 'store' | 'accounts' | 'seals'> {
  /** The public URL, which is the issuer. */
  issuer: () => string;
  keys: () => readonly SigningKey[];
  /** Hears of a refresh token that came once more, after its time: it was in two hands (RFC 9700 §4.14.2). */
  onReuse: (reuse: { accountId: string; address: string }) => void;
  log: Log;
}

/** The provider of OAuth 2.1 and OpenID Connect. */
export interface Oidc {
  provider(): Promise<Provider>;
  issuer(): string;
  /** The path of the public URL, before every path of ours. */
  base(): string;
  /** Whether the request is of a browser that the provider knows. */
  hasSession(request: FastifyRequest, reply: FastifyReply): Promise<boolean>;
  /** Answers a request as the provider does, with the headers that the reply has already. */
  answer(request: FastifyRequest, reply: FastifyReply): Promise<void>;
}

/** Makes the provider when the first asks for it, and anew when other keys sign; it keeps nothing itself. */
export function createOidc(options: OidcOptions): Oidc {
  let made: { of: string; provider: Promise<Provider> } | undefined;
  const base = (): string => new URL(options.issuer()).pathname.replace(/\/$/, '');
  const make = async (keys: readonly SigningKey[]): Promise<Provider> => {
    const library = await import('oidc-provider');
    const issuer = options.issuer();
    const isHttps = issuer.startsWith('https:');
    const provider = new library.Provider(
      issuer,
      oidcConfiguration({ ...options, keys, isHttps, library, site: { base: base() } }),
    );
    keepOwnFields(provider);
    // What it knows of the caller, host and scheme included, comes from `asProviderSees`.
    provider.proxy = true;
    const failed = (error: unknown): void => {
      options.log.error({ err: error }, 'sign-in failed');
    };
    provider.on('server_error', (_ctx, error) => {
      failed(error);
    });
    (provider as EventEmitter).on('error', failed);
    provider.on('grant.error', ({ ip, oidc: { entities } }) => {
      const { accountId, consumed } = entities.RefreshToken ?? {};
      if (accountId !== undefined && consumed !== undefined) options.onReuse({ accountId, address: ip });
    });
    return provider;
  };
  const provider = (): Promise<Provider> => {
    const keys = options.keys();
    const of = [options.issuer(), ...keys.map(({ kid }) => kid)].join(' ');
    if (made?.of !== of) made = { of, provider: make(keys) };
    return made.provider;
  };
  return {
    provider,
    base,
    issuer: options.issuer,
    async hasSession(request, reply) {
      const made = await provider();
      const context = made.createContext(asProviderSees(request, options.issuer()), reply.raw);
      const session = (await made.Session.get(context)) as { new?: boolean };
      return session.new !== true;
    },
    async answer(request, reply) {
      const answer = (await provider()).callback();
      passHeaders(reply);
      reply.hijack();
      await answer(asProviderSees(request, options.issuer()), reply.raw);
    },
  };
}

/** Hands the headers that were set so far to the raw answer, for whoever writes to that. */
export function passHeaders(reply: FastifyReply): void {
  const headers = Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)] as const);
  reply.raw.setHeaders(new Map(headers));
}

/**
 * The request as the provider is to see it: its links are made of the public URL and not of what the caller says, and the body is the
 * one that was read within our limits.
 */
export function asProviderSees({ raw, body, ip }: FastifyRequest, issuer: string): IncomingMessage {
  const { host, protocol } = new URL(issuer);
  const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
  const { 'content-length': _length, 'transfer-encoding': _coding, ...rest } = raw.headers;
  const headers = {
    ...rest,
    host,
    'x-forwarded-host': host,
    'x-forwarded-proto': protocol.slice(0, -1),
    'x-forwarded-for': ip,
    ...(raw.method === 'POST' && { 'content-length': String(bytes.length) }),
  };
  const stream = Readable.from(bytes.length === 0 ? [] : [bytes], { objectMode: false });
  const { method, url, socket, httpVersion, httpVersionMajor, httpVersionMinor } = raw;
  return Object.assign(stream, {
    ...{ headers, method, url, socket, httpVersion, httpVersionMajor, httpVersionMinor },
  }) as unknown as IncomingMessage;
}
