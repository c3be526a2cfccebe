import { fastify } from 'fastify';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { request } from 'undici';
import { frameworkSink } from '../../../control-plane/gateway/framework-sink.ts';

t.test('of much that comes at once it is told once when more may be written', async (t) => {
  const app = fastify();
  let drains = 0;
  const drained = (): void => {
    drains++;
  };
  app.get('/', (_request, reply) => {
    const draining = new AbortController().signal;
    const sink = frameworkSink(reply, { draining, over: () => undefined });
    sink.begin(200, []);
    const part = Buffer.alloc(1 << 20, 'x');
    for (let left = 16; left > 0; left--) sink.write(part, { drained });
    reply.raw.once('drain', () => {
      sink.end();
    });
  });
  t.teardown(() => app.close());
  const { body } = await request(await app.listen({ host: '127.0.0.1', port: 0 }));
  t.equal((await buffer(body)).length, 16 << 20);
  t.equal(drains, 1);
});
