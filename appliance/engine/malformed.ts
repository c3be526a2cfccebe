import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import type { ProblemCode } from '../../common/contract/problem.ts';
import { coded, systemCode } from '../../common/runtime/errors.ts';
import { endGently } from './linger.ts';
import { problemAnswer } from './reply.ts';

const malformed: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADER_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
};

/**
 * What is not HTTP is answered once, without a word about why, and the connection closed (RFC 9112 §2.2, §9.6).
 * Undefined when nobody is there, or nobody has asked: `hasSpoken` is whether anything has come over the connection.
 */
export function refuseMalformed(error: Error, socket: Duplex, hasSpoken: boolean): ProblemCode | undefined {
  const cause = systemCode(error);
  const isSilent = cause === 'ERR_HTTP_REQUEST_TIMEOUT' && !hasSpoken;
  if (cause === 'ECONNRESET' || isSilent || !socket.writable) {
    socket.destroy();
    return undefined;
  }
  const code = malformed[cause ?? ''] ?? 'BAD_REQUEST';
  socket.end(problemAnswer(coded(code)));
  endGently(socket);
  return code;
}

/**
 * Whether a request that the parser lets pass must be refused all the same: RFC 9112 §3.2, exactly one Host from
 * HTTP/1.1 on; §6.3, a body whose end cannot be told.
 */
export function isAmbiguous(request: IncomingMessage): boolean {
  if (request.httpVersionMajor !== 1) return false;
  const { rawHeaders } = request;
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === 'host') hosts++;
  if (hosts > 1 || (hosts === 0 && request.httpVersionMinor > 0)) return true;
  const coding = request.headers['transfer-encoding'];
  return coding !== undefined && !/(?:^|,)\s*chunked\s*$/i.test(coding);
}
