import { isUtf8 } from 'node:buffer';
import { checkJsonText } from '../core/json-faults.ts';
import { coded, valueOf } from './errors.ts';
import type { App } from './http-app.ts';

// What the contract's deepest document needs several times over.
const JSON_DEPTH_MAX = 32;
export const PARAMETERS_MAX = 100;
/** Fields of a request's head; Node drops what is above, and a request of which something was dropped is refused. */
export const HEADER_FIELDS_MAX = 100;

/**
 * Refuses requests that no honest client makes, before a route sees them: hundreds of query parameters or header fields, JSON
 * that is no UTF-8, nests deeply, names a key twice or reaches for a prototype. Each has a code in the contract's table.
 */
export function filterRequests(app: App): void {
  app.server.maxHeadersCount = HEADER_FIELDS_MAX + 1;
  app.addHook('onRequest', async ({ raw }) => {
    if (raw.rawHeaders.length / 2 > HEADER_FIELDS_MAX)
      throw coded('HEADER_TOO_LARGE', `it has more than ${HEADER_FIELDS_MAX} fields`);
    if (parameterCount(raw.url ?? '') > PARAMETERS_MAX)
      throw coded('PARAMETERS_TOO_MANY', `at most ${PARAMETERS_MAX} are taken`);
  });
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseJsonBody(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** How many parameters a URL has. */
export function parameterCount(url: string): number {
  let count = 0;
  for (let at = url.indexOf('?'); at !== -1; at = url.indexOf('&', at + 1)) count++;
  return count;
}

function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) throw coded('BAD_REQUEST', 'the body is empty');
  // RFC 8259 §8.1
  if (!isUtf8(body)) throw coded('TEXT_INVALID', 'the body');
  valueOf(checkJsonText(body, { depthMax: JSON_DEPTH_MAX }), 'the body');
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw coded('BAD_REQUEST', { detail: 'the body is not JSON', cause });
  }
}
