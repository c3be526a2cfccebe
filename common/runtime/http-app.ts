import { Ajv } from 'ajv';
import {
  fastify,
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifySchemaCompiler,
} from 'fastify';
import type { RawServerDefault, RawRequestDefaultExpression, RawReplyDefaultExpression } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { TSchema } from '../contract/type.ts';
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
    genReqId: () => chance.bytes(9).toString('base64url'),
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
  app.setValidatorCompiler(createValidatorCompiler());
  // The handlers' types are checked against the schemas: nothing is to be filtered out at run time.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  boundBodies(app, limits.requestMs);
  return app;
}

function createValidatorCompiler(): FastifySchemaCompiler<TSchema> {
  // Unknown fields are refused where the schema says so, never dropped. Only text parts are converted.
  const body = new Ajv({ strict: false, useDefaults: true });
  const text = new Ajv({ strict: false, useDefaults: true, coerceTypes: true });
  return ({ schema, httpPart }) => (httpPart === 'body' ? body : text).compile(schema);
}

/** Cuts a connection whose request does not finish: between the header and the parsed body nothing else bounds it. */
function boundBodies(app: FastifyInstance, timeoutMs: number): void {
  const timers = new WeakMap<object, NodeJS.Timeout>();
  const clear = (request: object): void => {
    clearTimeout(timers.get(request));
    timers.delete(request);
  };
  app.addHook('preParsing', async (request, _reply, payload) => {
    timers.set(
      request,
      setTimeout(() => request.raw.destroy(), timeoutMs),
    );
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
