import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

const root = new URL('../../../', import.meta.url);
const libraries: Readonly<Record<string, string>> = {
  '/hls.js': import.meta.resolve('hls.js'),
  '/dash.js': import.meta.resolve('dashjs'),
  '/shaka.js': import.meta.resolve('shaka-player'),
};
const imports = { 'hls.js': '/hls.js', dashjs: '/dash.js', 'shaka-player': '/shaka-module.js' };
const html = `<!doctype html><meta charset="utf-8"><title>players</title>
<script src="/shaka.js"></script>
<script type="importmap">${JSON.stringify({ imports })}</script>
<video autoplay muted playsinline width="320"></video>
<script type="module" src="/test/support/players/page/play.ts"></script>`;

/** A page that plays with any of the libraries, from an origin of its own, as somebody else's would. */
export interface PageServer extends AsyncDisposable {
  readonly url: string;
}

/** Serves the page: the libraries as they come, our modules with their types taken out. */
export async function servePlayersPage(): Promise<PageServer> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://page').pathname;
    bodyOf(path).then(
      ([type, body]) => response.writeHead(200, { 'content-type': type }).end(body),
      () => response.writeHead(404).end(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const javaScript = 'text/javascript; charset=utf-8';

async function bodyOf(path: string): Promise<[type: string, body: string]> {
  if (path === '/') return ['text/html; charset=utf-8', html];
  // Shaka comes as a script only.
  if (path === '/shaka-module.js') return [javaScript, 'export default globalThis.shaka;'];
  const library = libraries[path];
  if (library !== undefined) return [javaScript, await readFile(fileURLToPath(library), 'utf8')];
  if (!/^\/(?:clients\/viewer|test\/support\/players\/page)\/[\w./-]+\.ts$/.test(path))
    throw new TypeError(`nothing at ${path}`);
  const source = await readFile(new URL(`.${path}`, root), 'utf8');
  return [javaScript, stripTypeScriptTypes(source)];
}
