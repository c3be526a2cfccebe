import { fieldValue, type FieldList } from '../../../common/core/lean-request.ts';
import { connectionOptions, isEndToEnd } from './forwarding.ts';

/** How the end of an answer's body is known (RFC 9112 §6.3). */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunks' }
  | { readonly kind: 'close' };

/** What the head of an answer says. */
export interface AnswerHead {
  readonly status: number;
  /** Those that are meant for the client: none of the connection's but `content-length`. */
  readonly fields: FieldList;
  readonly body: BodyFraming;
  /** For how long the service keeps the connection; 0: not at all, undefined: it does not say. */
  readonly keepMs: number | undefined;
}

/** What Node's own parser takes. */
export const answerHeadBytesMax = 16 * 1024;

// RFC 9112 §4 and §5, in the plainest form: a line for each field, none folded.
const form =
  /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t -~\x80-\xff]*)?\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)*\r\n$/;
const digits = /^\d{1,15}$/;

/** What of an answer's fields says where it ends and whether another may follow. */
interface Said {
  length: string | undefined;
  coding: string | undefined;
  connection: string;
  keepAlive: string | undefined;
}

/**
 * Reads the head of an answer to a request of a method, with the empty line that ends it, as latin1. Undefined for what is none, or
 * could be read in two ways: two lengths, a length beside chunks, codings but `chunked`.
 */
export function readAnswerHead(text: string, method: string): AnswerHead | undefined {
  const [, minor, code] = form.exec(text) ?? [];
  if (code === undefined) return undefined;
  const status = Number(code);
  const said: Said = { length: undefined, coding: undefined, connection: '', keepAlive: undefined };
  const fields = readFields(text, said);
  if (fields === undefined) return undefined;
  const body = framingOf(said, status, method);
  if (body === undefined) return undefined;
  const options = connectionOptions(said.connection);
  // A service that sends a body where none may be would have it taken for the next answer; a 304 may say how long it would be (RFC 9110 §8.6).
  const isBodySaid = said.coding !== undefined || (status === 204 && Number(said.length ?? 0) > 0);
  const mayHaveMore = method === 'HEAD' || (body.kind === 'none' && isBodySaid);
  const isKept = minor === '1' && !options.includes('close') && body.kind !== 'close' && !mayHaveMore;
  return {
    ...{ status, body },
    fields: options.length === 0 && status !== 204 ? fields : goingOn(fields, options, status),
    keepMs: isKept ? keptMs(said.keepAlive) : 0,
  };
}

/** The fields that go on; what they say of the connection is noted. Undefined where one comes twice that may not. */
function readFields(text: string, said: Said): string[] | undefined {
  const fields: string[] = [];
  for (let at = text.indexOf('\r\n') + 2; ;) {
    const end = text.indexOf('\r\n', at);
    if (end <= at) return fields;
    const colon = text.indexOf(':', at);
    const name = text.slice(at, colon).toLowerCase();
    const value = fieldValue(text, colon + 1, end);
    at = end + 2;
    switch (name) {
      case 'content-length':
        if (said.length !== undefined) return undefined;
        said.length = value;
        fields.push(name, value);
        break;
      case 'transfer-encoding':
        if (said.coding !== undefined) return undefined;
        said.coding = value.toLowerCase();
        break;
      case 'connection':
        said.connection += `,${value}`;
        break;
      case 'keep-alive':
        said.keepAlive = value;
        break;
      default:
        if (isEndToEnd(name)) fields.push(name, value);
    }
  }
}

/** RFC 9112 §6.3; a length beside chunks is an attempt to have the answer read in two ways. */
function framingOf({ length, coding }: Said, status: number, method: string): BodyFraming | undefined {
  if (coding !== undefined && (coding !== 'chunked' || length !== undefined)) return undefined;
  if (length !== undefined && !digits.test(length)) return undefined;
  if (method === 'HEAD' || status === 204 || status === 304) return { kind: 'none' };
  if (coding !== undefined) return { kind: 'chunks' };
  if (length === undefined) return { kind: 'close' };
  const bytes = Number(length);
  return bytes === 0 ? { kind: 'none' } : { kind: 'length', bytes };
}

function goingOn(fields: FieldList, options: readonly string[], status: number): string[] {
  const kept: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const [name = '', value = ''] = [fields[at], fields[at + 1]];
    // RFC 9110 §7.6.1: a length is not a matter of the connection, whatever it is called; §8.6: a 204 has none.
    const isKept = name === 'content-length' ? status !== 204 : !options.includes(name);
    if (isKept) kept.push(name, value);
  }
  return kept;
}

/** `timeout=5, max=100`, as many servers say it. */
function keptMs(keepAlive: string | undefined): number | undefined {
  const [, seconds] = /(?:^|[ ,])timeout=(\d{1,6})(?:$|[ ,])/i.exec(keepAlive ?? '') ?? [];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
