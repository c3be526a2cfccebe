import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';

/** What stands before steering does to players' requests: nothing, a status, something else than an answer, or an answer too late. */
export type SteeringFault = 'none' | 410 | 429 | 500 | 'garbage' | 'slow' | 'silent';

const slowMs = 20_000;

/** A proxy before steering, for what steering itself never does. */
export interface SteeringProxy extends AsyncDisposable {
  readonly url: string;
  fault: SteeringFault;
}

/** Listens on a port of loopback and passes everything on to `target`, but for the fault of the moment. */
export async function startSteeringProxy({
  port,
  target,
}: {
  port: number;
  target: string;
}): Promise<SteeringProxy> {
  const proxy = { fault: 'none' as SteeringFault };
  const server = createServer((request, response) => {
    // Ranking for the control plane is no player's request.
    const fault = request.url?.startsWith('/v1/steer/') === true ? proxy.fault : 'none';
    if (fault === 'none') pass(target, request, response);
    else if (fault === 'slow') setTimeout(pass, slowMs, target, request, response).unref();
    else if (fault !== 'silent') {
      response.setHeader('access-control-allow-origin', '*');
      response.statusCode = fault === 'garbage' ? 200 : fault;
      response.end(fault === 'garbage' ? '{"VERSION":"<html>' : '{}');
    }
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

function pass(target: string, request: IncomingMessage, response: ServerResponse): void {
  // The Host stays the one that the player named: steering's own reload address leads through here again.
  const onward = httpRequest(new URL(request.url ?? '/', target), {
    method: request.method,
    headers: request.headers,
  });
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  request.pipe(onward);
}
