import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

/** What stands before a search server: TLS, a login, and faults where a test wants some. */
export interface SearchFront {
  readonly port: number;
  /** What came, as `POST /index/_search`, with the length of its body in bytes. */
  readonly calls: { readonly call: string; readonly bytes: number }[];
  /** Answers requests that it gives an answer for; those behind get what the server says. */
  fault: (call: string, body: string) => { readonly status: number; readonly json: unknown } | undefined;
}

/** Starts a front of a server at `to` that lets in who says `authorization`. */
export async function startSearchFront(
  t: { teardown(done: () => unknown): void },
  { to, authorization, ...tls }: ServerOptions & { to: string; authorization: string },
): Promise<SearchFront> {
  const calls: SearchFront['calls'] = [];
  const handle = async (request: IncomingMessage): Promise<{ status: number; text: string }> => {
    const body = await textOf(request);
    const call = `${request.method ?? ''} ${request.url ?? ''}`;
    calls.push({ call, bytes: Buffer.byteLength(body) });
    if (request.headers.authorization !== authorization) return { status: 401, text: 'Unauthorized' };
    const fault = front.fault(call, body);
    if (fault !== undefined) return { status: fault.status, text: JSON.stringify(fault.json) };
    const answer = await fetch(`${to}${request.url ?? ''}`, {
      method: request.method ?? 'GET',
      ...(body !== '' && { body }),
      headers: { 'content-type': request.headers['content-type'] ?? 'application/json' },
    });
    return { status: answer.status, text: await answer.text() };
  };
  const server = createServer(tls, (request, response) => {
    handle(request).then(
      ({ status, text }) => response.writeHead(status, { 'content-type': 'application/json' }).end(text),
      () => response.destroy(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const front: SearchFront = { port: (server.address() as AddressInfo).port, calls, fault: () => undefined };
  return front;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
