import { STATUS_CODES } from 'node:http';

import { parsePrefix } from '../../common/core/ip-address.ts';
import type { FilePath } from '../../common/core/file-path.ts';
import { assert } from '../../common/runtime/errors.ts';
import { etagOf, planResponse, timingHeaders, type ResponsePlan } from '../core/respond.ts';
import type { OpenContent } from '../store/content.ts';

/** The timing headers as lines, cut where their number stands; it stands twice. */
export function timingParts(box: string): [string, string, string] {
  const number = 7_654_321;
  const text = Object.entries(timingHeaders({ box, delayMs: number }, 'hit'))
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const [before = '', between = '', after = ''] = text.split(String(number));
  return [before, between, after];
}

/**
 * A prefix as the addon compares it: 16 bytes of address, IPv4 as ::ffff:0:0/96, and one of length in bits.
 *
 * @param text `address/length`, as a verified token has it.
 */
export function prefixBytes(text: string): Buffer {
  const prefix = parsePrefix(text);
  assert(prefix !== undefined, 'a token was verified with its prefixes');
  const { family, words } = prefix.address;
  const bytes = Buffer.alloc(17);
  (family === 4 ? [0, 0, 0xffff, ...words] : words).forEach((word, at) => bytes.writeUInt32BE(word, at * 4));
  bytes[16] = prefix.length + (family === 4 ? 96 : 0);
  return bytes;
}

const etagNever = '"never"';

/** The status and header lines before content-range and content-length, by the same plan that the TypeScript engine follows. */
export function fileHeads(path: FilePath, { sizeBytes, lastModifiedMs }: OpenContent, box: string) {
  const plan = (headers: { range?: string; ifNoneMatch?: string }) =>
    planResponse(
      { ...headers, head: false },
      { path, sizeBytes, lastModifiedMs, cache: 'hit' },
      { box, delayMs: 0 },
    );
  return {
    whole: lines(plan({})),
    part: sizeBytes === 0 ? Buffer.alloc(0) : lines(plan({ range: 'bytes=0-0', ifNoneMatch: etagNever })),
    notModified: lines(plan({ ifNoneMatch: etagOf(path) })),
  };
}

const ofTheRequest = new Set(['content-range', 'content-length', 'cmsd-dynamic', 'server-timing']);

function lines({ status, headers }: ResponsePlan): Buffer {
  const kept = Object.entries(headers).filter(([name]) => !ofTheRequest.has(name));
  const text = kept.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${text}`, 'latin1');
}
