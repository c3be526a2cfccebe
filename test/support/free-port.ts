import { once } from 'node:events';
import { createServer } from 'node:net';

// Above those that Linux gives to outgoing connections: one of them would take it before a server of ours does.
const first = 61_000;
const count = 4_500;
const triesMax = 50;

/** A port of 127.0.0.1 that nobody listens on now. Errors: of the last of fifty that were tried. */
export async function freePort(): Promise<number> {
  for (let tries = 1; ; tries++) {
    const port = first + Math.floor(Math.random() * count);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (tries === triesMax) throw error;
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
