import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Rate } from '../core/rate-table.ts';
import { BareFront, type BareAnswerer } from './bare-front.ts';
import { createSystemChance, type Chance } from './chance.ts';
import { createSystemClock, type Clock } from './clock.ts';
import { coded } from './errors.ts';
import { createApp, httpLimits, type App, type HttpLimits } from './http-app.ts';
import { bareTaker, commonFields, exposedFields, type BareServer, type BareTaker } from './http-bare.ts';
import { requireCredentials, type CredentialVerifiers } from './http-credential.ts';
import { filterRequests } from './http-filter.ts';
import { createRates, limitAddresses, type NamedRate, type TakeRate } from './http-rates.ts';
import { answerProblems, sendProblem } from './http-errors.ts';
import { serveOpenApi, type OpenApiOptions } from './http-openapi.ts';
import { FrontedServer, type OpenFront } from './fronted-server.ts';
import { noteMethods, type MethodsAt } from './http-methods.ts';
import { LeanFront, type LeanAnswerer } from './lean-front.ts';
import type { Component } from './lifecycle.ts';
import { hostInUrl, listenFailed, type ListenAddress } from './listen.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

export interface HttpServerOptions {
  /** Name and version that /healthz shows. */
  name: string;
  version: string;
  log: Log;
  metrics: Metrics;
  /** What verifies the credentials that the routes ask for. */
  credentials: CredentialVerifiers;
  chance?: Chance;
  clock?: Clock;
  limits?: Partial<HttpLimits>;
  /** Addresses and prefixes of proxies whose X-Forwarded-For says who calls; nobody's is believed without. */
  trustedProxies?: readonly string[];
  /** What one address may ask; a route may set its own with `config.rateLimit`. */
  rate?: Rate;
  /** Origins whose pages' scripts may call, `*` for any (credentials stay in headers, so there is nothing to ride on). */
  cors?: readonly string[];
  /** Serves /openapi.json and, with `docs`, /docs; both are made when first asked for. */
  openapi?: OpenApiOptions;
  /** What listens in front of this server where `before` is called; connections are accepted here without. */
  openFront?: OpenFront | undefined;
}

export interface HttpServer {
  /** Register routes here before listening: `app.get(url, { config: { credential: ['operator'] }, schema }, handler)`. */
  app: App;
  /** Aborted when draining begins: long polls end with it. */
  draining: AbortSignal;
  /** Takes from a bucket beside those of the addresses. */
  takeRate: TakeRate;
  /**
   * Lets `answer` see GET requests before the framework does, for a route whose cost counts: none of the framework's hooks runs, and where
   * a connection brings nothing else, none of Node's HTTP either. It answers with 200, or leaves the request alone. `route` is
   * what metrics call it.
   */
  before(route: string, answer: LeanAnswerer): void;
  /** For a route whose answer takes its time and whose cost counts nevertheless. */
  bare: BareServer;
  /** Listens and returns the URL, with the port that was picked for port 0. */
  listen(address: ListenAddress): Promise<string>;
  /** Takes no new connections and resolves when the requests in hand are answered. */
  drain(): Promise<void>;
  /** Cuts what is left. */
  stop(): Promise<void>;
}

const RATE: Rate = { burst: 1000, perSecond: 1000 };

/**
 * Makes the HTTP server of a plane: problem details everywhere, a credential decision on every route, rate, body and
 * time limits, request ids, /healthz, /metrics, and security headers.
 */
export async function createHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { log, metrics, name, version } = options;
  const chance = options.chance ?? createSystemChance();
  const app = createApp({
    ...{ log, chance },
    limits: { ...httpLimits, ...options.limits },
    trustedProxies: options.trustedProxies ?? [],
  });
  const methodsAt = noteMethods(app);
  const draining = new AbortController();
  let front: Front | undefined;
  await addLimits(app, options, methodsAt);
  requireCredentials(app, options.credentials);
  answerProblems(app);
  addHeaders(app, draining.signal);
  const clock = options.clock ?? createSystemClock();
  const { takeRate, ...rates } = createRates(clock);
  const addressRate: NamedRate = { name: 'address', ...(options.rate ?? RATE) };
  filterRequests(app);
  limitAddresses(app, { take: takeRate, rate: addressRate });
  const observe = measure(app, metrics);
  const status = () => (draining.signal.aborted ? 'draining' : 'ok');
  app.get('/healthz', { config: { credential: ['none'] } }, () => ({ status: status(), name, version }));
  const metricsCredential = options.credentials.access
    ? (['local', 'operator', 'service'] as const)
    : (['local'] as const);
  app.get('/metrics', { config: { credential: metricsCredential } }, async (_request, reply) => {
    void reply.type(metrics.contentType);
    return metrics.text();
  });
  if (options.openapi !== undefined) serveOpenApi(app, options.openapi);
  return {
    app,
    draining: draining.signal,
    takeRate,
    before(route, answer) {
      const labels = { method: 'GET', route, status: '200' };
      const answerTimed: LeanAnswerer = (asked) => {
        // The framework closes the connections of those who come while it drains.
        if (draining.signal.aborted) return undefined;
        const startedMs = performance.now();
        const answered = answer(asked);
        if (answered !== undefined) observe(labels, (performance.now() - startedMs) / 1000);
        return answered;
      };
      front = answerBefore(app, { answer: answerTimed, clock, open: options.openFront });
    },
    bare: {
      ...{ rates, addressRate, observe },
      take(taker) {
        front = bareFront(app, taker, { ...options, chance, clock, draining: draining.signal });
      },
    },
    listen: (address) => listen(app, address, front),
    drain: async () => {
      draining.abort(coded('DRAINING'));
      await front?.drain();
      await app.close();
    },
    stop: async () => {
      draining.abort(coded('DRAINING'));
      front?.destroy();
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

/** What has connections before the HTTP server has them. */
interface Front {
  /** Where it listens itself. */
  readonly listen?: (address: ListenAddress) => Promise<number>;
  drain(): void | Promise<void>;
  destroy(): void;
}

/** Puts `answer` before the requests of a server, and before its connections where they bring nothing else. */
function answerBefore(
  app: App,
  { answer, clock, open }: { answer: LeanAnswerer; clock: Clock; open: OpenFront | undefined },
): Front {
  const { server } = app;
  const onRequest = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request').on('request', (request, response) => {
    const { method, url = '', headers, socket } = request;
    const answered = method === 'GET' ? answer({ url, headers, socket }) : undefined;
    if (answered === undefined) {
      for (const listener of onRequest) listener(request, response);
      return;
    }
    const { body } = answered;
    response.writeHead(200, { ...answered.headers, 'content-length': Buffer.byteLength(body) }).end(body);
  });
  const options = { answer, clock, keepAliveMs: server.keepAliveTimeout };
  if (open !== undefined) {
    const fronted = new FrontedServer(server, open, options);
    return {
      listen: (address) => fronted.listen(address),
      drain: () => fronted.drain(),
      destroy: () => fronted.destroy(),
    };
  }
  return putBefore(app, (handOver) => new LeanFront({ ...options, handOver }));
}

/** Hands requests to `taker` before the framework, unless the server drains: then the framework closes the connections of those who come. */
function bareFront(
  app: App,
  taker: BareTaker,
  options: Pick<HttpServerOptions, 'trustedProxies' | 'cors'> & {
    chance: Chance;
    clock: Clock;
    draining: AbortSignal;
  },
): Front {
  const { trustedProxies = [], cors = [], chance, clock, draining } = options;
  const answer = bareTaker({ chance, trustedProxies, cors }, taker);
  const take: BareAnswerer = (asked, reply) => !draining.aborted && answer(asked, reply);
  const { keepAliveTimeout: keepAliveMs, timeout: idleMs } = app.server;
  return putBefore(app, (handOver) => new BareFront({ take, clock, handOver, keepAliveMs, idleMs }));
}

/** Gives a front the connections that a server accepts; what it hands over, the server has as ever. */
function putBefore(
  { server }: App,
  make: (handOver: (socket: Socket) => void) => Pick<LeanFront, 'take' | 'close' | 'destroy'>,
): Front {
  const onConnection = server.listeners('connection') as ((socket: Socket) => void)[];
  const front = make((socket) => {
    for (const listener of onConnection) listener.call(server, socket);
  });
  server.removeAllListeners('connection').on('connection', (socket) => {
    front.take(socket);
  });
  return { drain: () => front.close(), destroy: () => front.destroy() };
}

async function addLimits(app: App, options: HttpServerOptions, methodsAt: MethodsAt): Promise<void> {
  if (options.cors !== undefined && options.cors.length > 0) {
    const { default: cors } = await import('@fastify/cors');
    await app.register(cors, {
      origin: options.cors.includes('*') ? '*' : [...options.cors],
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: exposedFields,
      maxAge: 86_400,
    });
  }
  app.setNotFoundHandler((request, reply) => {
    const allow = methodsAt(request.url.split('?', 1)[0] ?? '').join(', ');
    if (allow === '') return sendProblem(coded('NOT_FOUND'), request, reply);
    void reply.header('allow', allow);
    return sendProblem(coded('METHOD_NOT_ALLOWED', `${request.method}; it takes ${allow}`), request, reply);
  });
}

function addHeaders(app: App, draining: AbortSignal): void {
  app.addHook('onRequest', async (request, reply) => {
    // A route that may be cached, or is a page, says so itself.
    void reply.headers({ ...commonFields, 'x-request-id': request.id });
  });
  app.addHook('onSend', async (_request, reply) => {
    // Else a connection that was busy when draining began would be kept alive, and closing would wait for it.
    if (draining.aborted) void reply.header('connection', 'close');
  });
}

/** Measures what the framework answers, and returns what notes the others. */
function measure(
  app: App,
  metrics: Metrics,
): (labels: Record<'method' | 'route' | 'status', string>, seconds: number) => void {
  const seconds = metrics.histogram({
    name: 'nearcast_http_answer_seconds',
    help: 'Time to answer a request, by route pattern',
    labels: ['method', 'route', 'status'],
  });
  app.addHook('onResponse', async (request, reply) => {
    // The pattern, never the path: tokens stand in paths, and labels must be few.
    const route = request.routeOptions.url ?? 'none';
    const labels = { method: request.method, route, status: String(reply.statusCode) };
    seconds.observe(labels, reply.elapsedTime / 1000);
  });
  return (labels, elapsedS) => seconds.observe(labels, elapsedS);
}

async function listen(app: App, address: ListenAddress, front: Front | undefined): Promise<string> {
  const { host, port } = address;
  try {
    if (front?.listen === undefined) return await listenItself(app, address);
    await app.ready();
    return `http://${hostInUrl(host)}:${await front.listen(address)}`;
  } catch (error) {
    throw listenFailed(error, { host, port });
  }
}

/** Returns the URL: of a socket that was handed over, by the address that it has. */
async function listenItself(app: App, { host, port, fd }: ListenAddress): Promise<string> {
  const { level } = app.log;
  try {
    // Fastify would log the address; the process's `ready` record does.
    if (level === 'info') app.log.level = 'warn';
    if (fd === undefined) await app.listen({ host, port });
    else await listenOn(app, fd);
  } finally {
    app.log.level = level;
  }
  const bound = app.server.address();
  const address = typeof bound === 'object' && bound !== null ? bound : { address: host, port };
  return `http://${hostInUrl(fd === undefined ? host : address.address)}:${address.port}`;
}

async function listenOn(app: App, fd: number): Promise<void> {
  await app.ready();
  const listening = once(app.server, 'listening');
  app.server.listen({ fd });
  await listening;
}

/** The server as a component of a process. `url()` is known once it has started. */
export function httpComponent(server: HttpServer, address: ListenAddress): Component & { url: () => string } {
  let url: string | undefined;
  return {
    name: 'http',
    url: () => url ?? `http://${hostInUrl(address.host)}:${address.port}`,
    start: async () => {
      url = await server.listen(address);
    },
    drain: () => server.drain(),
    stop: () => server.stop(),
  };
}

/** Aborted when the caller goes away: the end of a long poll together with `draining`. */
export function callerGone(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(coded('ABORTED', `request ${request.id}`));
  });
  return gone.signal;
}
