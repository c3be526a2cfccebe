import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyReply } from 'fastify';
import { coded } from '../../common/runtime/errors.ts';
import type { App } from '../../common/runtime/http-app.ts';

// Media, playlists and steering come from any appliance's address; everything else from here.
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob: http: https:",
  "media-src 'self' blob: http: https:",
  "connect-src 'self' http: https:",
  "worker-src 'self' blob:",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
const apiPolicy = "default-src 'none'; frame-ancestors 'none'";
const docsPolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

const open = { config: { credential: ['none'] } } as const;

/** What a browser may do with an answer that is no page. */
export const pageFields = { 'content-security-policy': apiPolicy, 'x-frame-options': 'DENY' } as const;

/** Says on every answer what a browser may do with it. */
export function addPolicies(app: App): void {
  app.addHook('onRequest', async (request, reply) => {
    const isDocs = request.routeOptions.url?.startsWith('/docs') === true;
    void reply.headers({ ...pageFields, ...(isDocs && { 'content-security-policy': docsPolicy }) });
  });
}

/** Serves the built pages: the player at /play/, the console at /console/, what both share at /assets/. */
export async function pageRoutes(app: App, { clientsDir }: { clientsDir: string }): Promise<void> {
  const { default: fastifyStatic } = await import('@fastify/static');
  await app.register(fastifyStatic, { root: clientsDir, serve: false, index: false, dotfiles: 'ignore' });

  const sendPage = (reply: FastifyReply, page: string): FastifyReply => {
    const file = join(page, 'index.html');
    if (!existsSync(join(clientsDir, file))) {
      throw coded(
        'NOT_FOUND',
        `the pages are not built in ${clientsDir}; run \`./dev nearcast help\` or \`./dev demo\`, which builds them`,
      );
    }
    void reply.header('content-security-policy', pagePolicy).header('cache-control', 'no-cache');
    return reply.sendFile(file, clientsDir, { cacheControl: false });
  };

  app.get('/', open, (_request, reply) => reply.redirect('/console/', 302));
  for (const [url, page] of [
    ['/play', 'viewer'],
    ['/console', 'console'],
  ] as const) {
    // Relative addresses in a page need its slash.
    app.get(url, open, (_request, reply) => reply.redirect(`${url}/`, 302));
    app.get(`${url}/`, open, (_request, reply) => sendPage(reply, page));
  }
  app.get('/assets/*', open, (request, reply) => {
    const { '*': name } = request.params as { '*': string };
    // Names carry a hash of what they hold. One folder, plain names: nothing to climb out of.
    if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name)) throw coded('NOT_FOUND');
    void reply.header('cache-control', 'public, max-age=31536000, immutable');
    return reply.sendFile(`assets/${name}`, clientsDir, { cacheControl: false });
  });
}
