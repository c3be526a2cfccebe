import type { FastifyInstance } from 'fastify';

/** The methods that some route of the app takes at a path; empty where there is none. For the Allow of a 405 (RFC 9110 §15.5.6). */
export type MethodsAt = (path: string) => string[];

/** Notes the routes that are registered from now on. */
export function noteMethods(app: FastifyInstance): MethodsAt {
  const routes: { parts: string[]; methods: string[] }[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    // CORS answers the preflights of every path.
    if (url !== '*') routes.push({ parts: url.split('/'), methods: [method].flat() });
  });
  return (path) => {
    const parts = path.split('/');
    const found = routes.filter((route) => covers(route.parts, parts)).flatMap(({ methods }) => methods);
    return [...new Set(found)].sort();
  };
}

/** Whether a pattern (`/v1/nodes/:id`, `/assets/*`) covers a path, both cut at their slashes. */
function covers(pattern: readonly string[], parts: readonly string[]): boolean {
  const isOpen = pattern.at(-1) === '*';
  if (isOpen ? parts.length < pattern.length : parts.length !== pattern.length) return false;
  return pattern.every((part, at) => {
    if (isOpen && at === pattern.length - 1) return true;
    return part.startsWith(':') ? parts[at] !== '' : part === parts[at];
  });
}
