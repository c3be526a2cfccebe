import { once } from 'node:events';
import { request as httpsRequest, type Agent, type RequestOptions } from 'node:https';
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls';

/** What came back over HTTPS. */
export interface SecureAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
  readonly isResumed: boolean;
}

/** One request; over a kept connection where the agent has one. */
export function secureGet(
  at: RequestOptions & { port: number; path: string; agent?: Agent | false },
): Promise<SecureAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ host: '127.0.0.1', agent: false, ...at }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0, headers, socket } = response;
        const isResumed = (socket as TLSSocket | null)?.isSessionReused() ?? false;
        resolve({ status: statusCode, headers, body: Buffer.concat(parts), isResumed });
      });
    });
    request.on('error', reject);
    request.end();
  });
}

/** A connection whose handshake is done. Fails with OpenSSL's reason as `code`. */
export async function secureConnect(
  port: number,
  options: ConnectionOptions & { allowHalfOpen?: boolean },
): Promise<TLSSocket> {
  const socket = tlsConnect({ host: '127.0.0.1', port, ...options });
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  return socket;
}

/** The session that the server gave, and whether it took the one that was offered. The connection makes one request. */
export async function visit(
  port: number,
  path: string,
  options: ConnectionOptions,
): Promise<{ session: Buffer; isResumed: boolean; commonName: string }> {
  const socket = await secureConnect(port, options);
  let session: Buffer = socket.getSession() ?? Buffer.alloc(0);
  socket.on('session', (given: Buffer) => {
    session = given;
  });
  socket.write(`HEAD ${path} HTTP/1.1\r\nhost: box\r\nconnection: close\r\n\r\n`);
  socket.resume();
  const isResumed = socket.isSessionReused();
  // A resumed session shows none.
  const commonName = socket.getPeerX509Certificate()?.subject.replace(/^CN=/, '') ?? '';
  await once(socket, 'close');
  return { session, isResumed, commonName };
}
