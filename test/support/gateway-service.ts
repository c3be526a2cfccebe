// `gateway-service.ts PORT`: a service behind the gateway of a soak: answers what it was sent, `/slow` late; drains on SIGTERM.
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

const server = createServer((request, response) => {
  void buffer(request).then(
    async (body) => {
      if (request.url?.endsWith('/slow') === true) await sleep(300);
      response.end(body.length === 0 ? 'ours' : body);
    },
    () => response.destroy(),
  );
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.stdout.write('ready\n'));
process.once('SIGTERM', () => server.close());
