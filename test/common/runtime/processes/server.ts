/** A small process made of the real parts, driven by run-process.test.ts: `node server.ts MODE PORT`. */
import { createMetrics } from '../../../../common/runtime/metrics.ts';
import { createLog } from '../../../../common/runtime/log.ts';
import { createHttpServer, httpComponent } from '../../../../common/runtime/http-server.ts';
import { exitWith, runProcess } from '../../../../common/runtime/run-process.ts';
import type { Component } from '../../../../common/runtime/lifecycle.ts';

const [mode = '', port = '0'] = process.argv.slice(2);

async function main(): Promise<number> {
  const log = createLog({ name: 'test', format: 'json' });
  const metrics = createMetrics({ name: 'test', version: '0' });
  const server = await createHttpServer({ name: 'test', version: '0', log, metrics, credentials: {} });
  server.app.get('/memory', { config: { credential: ['none'] } }, () => process.memoryUsage());
  const http = httpComponent(server, { host: '127.0.0.1', port: Number(port) });
  const first: Component = {
    name: 'first',
    stop: () => {
      log.info('first stopped');
    },
  };
  const last: Component = {
    name: 'last',
    start: ({ crash }) => {
      if (mode === 'crash')
        setTimeout(() => {
          crash(new Error('engine broke'));
        }, 50);
      if (mode === 'reject') setTimeout(() => void Promise.reject(new Error('nobody caught')), 50);
    },
    stop: () => {
      log.info('last stopped');
      return mode === 'hang' ? new Promise(() => setInterval(() => undefined, 1000)) : undefined;
    },
    stopTimeoutMs: mode === 'hang' ? 60_000 : 1000,
  };
  return runProcess({
    name: 'test',
    log,
    components: [first, http, last],
    ready: () => ({ url: http.url() }),
  });
}

await exitWith(main);
