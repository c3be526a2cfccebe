import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorObject } from 'ajv';
import type { ProblemCode } from '../contract/problem.ts';
import { coded, toCoded, toProblem, type CodedError } from './errors.ts';
import type { Log } from './log.ts';
import { fieldsOf } from './parse.ts';
import { redactText } from './redact.ts';

const fastifyCodes: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_HANDLER_TIMEOUT: 'TIMEOUT',
};

const malformedCodes: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADER_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
};

/** Answers every error of the app, routes that are not there included, as RFC 9457 problem details. */
export function answerProblems(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendProblem(fromFastify(error), request, reply),
  );
}

/** Sends one error. */
export function sendProblem(error: CodedError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { method, id, log } = request;
  const { status, fields, body } = problemAnswer(error, { method, url: request.raw.url ?? '/', id, log });
  return reply.code(status).headers(fields).send(body);
}

/** An error as it is answered. What is a fault of ours is logged with the request's id, all else at debug level. */
export function problemAnswer(
  error: CodedError,
  { method, url, id, log }: { method: string; url: string; id: string; log: Pick<Log, 'debug' | 'error'> },
): { status: number; fields: Record<string, string>; body: string } {
  const [path = '/'] = url.split('?', 1);
  const record = { method, path: redactText(path), code: error.code, err: error };
  if (error.status >= 500 && error.status !== 503) log.error(record, 'request failed');
  else log.debug(record, 'request refused');
  const problem = toProblem(error, path);
  if (error.code === 'INTERNAL') problem.detail = `request ${id}`;
  const { retryAfterMs } = error;
  const retryAfterS = Math.max(1, Math.ceil((retryAfterMs ?? 0) / 1000));
  return {
    status: error.status,
    fields: {
      'cache-control': 'no-store',
      'content-type': 'application/problem+json; charset=utf-8',
      ...(retryAfterMs !== undefined && { 'retry-after': String(retryAfterS) }),
      // RFC 9110 §11.6.1
      ...(error.status === 401 && { 'www-authenticate': 'Bearer realm="nearcast"' }),
    },
    body: JSON.stringify(problem),
  };
}

/** A failure that fastify found or a handler threw, as a coded one. */
export function fromFastify(error: FastifyError): CodedError {
  if (error.validation !== undefined) return invalid(error);
  const known = fastifyCodes[error.code];
  if (known !== undefined) return coded(known, { detail: error.message, cause: error });
  const { statusCode } = error;
  const isRefusal = statusCode !== undefined && statusCode >= 400 && statusCode < 500;
  // Fastify's own refusals: bad JSON, an empty body, a bad path.
  if (isRefusal && error.code.startsWith('FST_'))
    return coded('BAD_REQUEST', { detail: error.message, cause: error });
  return toCoded(error);
}

/**
 * Answers bytes that are no HTTP request, too long a head, or one that came too slowly, before any route is known. A connection over
 * which nothing has come is nobody's request, though Node counts it as a slow head: it stays until it has been idle for too long.
 */
export function answerMalformed(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0) return;
  // Bytes that are no request behind one that is being answered must not end up in that answer's body.
  const isAnswering =
    ((socket as Socket & { _httpMessage?: unknown })._httpMessage ?? undefined) !== undefined;
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswering) {
    socket.destroy();
    return;
  }
  const known = malformedCodes[error.code ?? ''];
  const problem = toProblem(known === undefined ? coded('BAD_REQUEST', 'it is not HTTP/1.1') : coded(known));
  const body = JSON.stringify(problem);
  const status = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`;
  const head = [status, 'content-type: application/problem+json', 'connection: close'];
  socket.end(`${head.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function invalid(error: FastifyError): CodedError {
  const part = error.validationContext ?? 'body';
  const fields = fieldsOf(error.validation as unknown as ErrorObject[]).map(({ path, message }) => ({
    path: path === '' ? part : `${part}.${path}`,
    message,
  }));
  const [first] = fields;
  return coded('INVALID', { detail: first && `${first.path} ${first.message}`, fields, cause: error });
}
