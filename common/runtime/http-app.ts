import { fail } from 'node:assert/strict';
import type { Socket } from 'node:net';
import type { Ajv, ErrorObject, ValidateFunction } from 'ajv';
import {
  fastify,
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
} from 'fastify';
import type { RawServerDefault, RawRequestDefaultExpression, RawReplyDefaultExpression } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { TSchema } from '../contract/type.ts';
import { createAjv } from './ajv.ts';
import type { Chance } from './chance.ts';
import { answerMalformed, fromFastify, sendProblem } from './http-errors.ts';
import type { Log } from './log.ts';

/** A fastify app whose route schemas are TypeBox. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface HttpLimits {
  /** Largest body of a route that does not say another. */
  bodyBytesMax: number;
  /** A request's headers and its parsed body must have come within this; streamed bodies are bound by idleMs. */
  requestMs: number;
  /** A connection on which nothing moves is cut; longer than any long poll. */
  idleMs: number;
  keepAliveMs: number;
  connectionsMax: number;
}

export const httpLimits: HttpLimits = {
  bodyBytesMax: 256 * 1024,
  requestMs: 15_000,
  idleMs: 60_000,
  keepAliveMs: 30_000,
  connectionsMax: 10_000,
};

const HEADER_BYTES_MAX = 16 * 1024;
// A delivery token is one path segment.
const PARAM_LENGTH_MAX = 4096;

/** The bare fastify app with every bound set; what Nearcast's servers add is in http-server.ts. */
export function createApp({
  log,
  chance,
  limits,
  trustedProxies,
}: {
  log: Log;
  chance: Chance;
  limits: HttpLimits;
  trustedProxies: readonly string[];
}): App {
  // A child, since its level is changed for a moment when listening.
  const loggerInstance: FastifyBaseLogger = log.child({});
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, request, reply) => {
      void sendProblem(fromFastify(error), request, reply);
    },
    clientErrorHandler: answerMalformed,
    genReqId: requestIds(chance),
    // Ours are set below: without these, fastify would load its own, with what they are made of.
    schemaController: { compilersFactory: { buildValidator: notBuilt, buildSerializer: notBuilt } },
    bodyLimit: limits.bodyBytesMax,
    ...(trustedProxies.length > 0 && { trustProxy: [...trustedProxies] }),
    connectionTimeout: limits.idleMs,
    keepAliveTimeout: limits.keepAliveMs,
    // Uploads are streamed for longer than any sane request: parsed bodies are bound by boundBodies instead.
    requestTimeout: 0,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    http: {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: limits.requestMs,
      // How often slow heads are looked for; Node's own 30 s would be twice what they may take.
      connectionsCheckingInterval: limits.requestMs / 5,
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.server.maxConnections = limits.connectionsMax;
  closeSilent(app);
  app.setValidatorCompiler(compileLate);
  // The handlers' types are checked against the schemas: nothing is to be filtered out at run time.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  boundBodies(app, limits.requestMs);
  return app;
}

function notBuilt(): never {
  fail('the compilers that are set take its place');
}

/** Ends the connections over which nothing has come when the app closes: for Node they are not idle, and it would wait for them. */
function closeSilent(app: FastifyInstance): void {
  const sockets = new Set<Socket>();
  app.server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  app.addHook('preClose', async () => {
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  });
}

const ID_BYTES = 9;
const IDS_DRAWN = 256;

/** Makes ids of requests. Chance is drawn for many at once: a draw costs more than all else that a request's head needs. */
export function requestIds(chance: Chance): () => string {
  let drawn = Buffer.alloc(0);
  let at = 0;
  return () => {
    if (at >= drawn.length) {
      drawn = Buffer.from(chance.bytes(ID_BYTES * IDS_DRAWN));
      at = 0;
    }
    at += ID_BYTES;
    return drawn.toString('base64url', at - ID_BYTES, at);
  };
}

// One of each for the process, which keep what they have made: schemas are constants, and several apps may have the same routes.
let ofBodies: Ajv | undefined;
let ofTexts: Ajv | undefined;

/**
 * Has a validator made when the first value is to be checked by it: to make those of all routes took half of the control plane's start.
 * Unknown fields are refused where the schema says so, never dropped. Only text parts are converted.
 */
function compileLate({ schema, httpPart }: { schema: TSchema; httpPart?: string }) {
  let validate: ValidateFunction | undefined;
  return (value: unknown): boolean | { error: ErrorObject[] } => {
    validate ??= (
      httpPart === 'body'
        ? (ofBodies ??= createAjv({ useDefaults: true }))
        : (ofTexts ??= createAjv({ useDefaults: true, coerceTypes: true }))
    ).compile(schema);
    return validate(value) || { error: validate.errors ?? [] };
  };
}

/** RFC 9112 §6.3: a request has a body where one of these says so. */
export function hasBody({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/** Cuts a connection whose request does not finish: between the header and the parsed body nothing else bounds it. */
function boundBodies(app: FastifyInstance, timeoutMs: number): void {
  const timers = new WeakMap<object, NodeJS.Timeout>();
  const clear = (request: object): void => {
    clearTimeout(timers.get(request));
    timers.delete(request);
  };
  app.addHook('preParsing', async (request, _reply, payload) => {
    if (hasBody(request)) {
      timers.set(
        request,
        setTimeout(() => request.raw.destroy(), timeoutMs),
      );
    }
    return payload;
  });
  app.addHook('preValidation', async (request) => {
    clear(request);
  });
  app.addHook('onResponse', async (request) => {
    clear(request);
  });
  app.addHook('onRequestAbort', async (request) => {
    clear(request);
  });
}
