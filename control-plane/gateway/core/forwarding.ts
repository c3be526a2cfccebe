import type { FieldList } from '../../../common/core/lean-request.ts';

/** Fields that speak of one connection only (RFC 9110 §7.6.1), and those that the other side's connection sets anew. */
const hopByHop = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** What the gateway alone says to those behind it. */
const ours = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-request-id',
]);

/** Who asks, as those behind the gateway are told. */
export interface Asker {
  readonly address: string;
  readonly host: string;
  readonly protocol: string;
  readonly requestId: string;
}

/** A request as it goes on, but for its body. */
export interface RequestHead {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Names and values in turn, as the client sent them: no value has an end of a line in it. */
  readonly rawFields: readonly string[];
  readonly asker: Asker;
  /** Undefined where there is no body. */
  readonly bodyBytes: number | undefined;
}

/** The head of a request as it goes on, in latin1: what the client says of its connection, or of who it is, stays behind. */
export function requestHead({ method, path, rawFields, asker, bodyBytes }: RequestHead): string {
  let options = noOptions;
  for (let at = 0; at + 1 < rawFields.length; at += 2) {
    const name = rawFields[at] ?? '';
    if (name.length === 10 && name.toLowerCase() === 'connection')
      options = [...options, ...connectionOptions(rawFields[at + 1] ?? '')];
  }
  let head = `${method} ${path} HTTP/1.1\r\n`;
  for (let at = 0; at + 1 < rawFields.length; at += 2) {
    const [name = '', value = ''] = [rawFields[at], rawFields[at + 1]];
    const lower = name.toLowerCase();
    if (isEndToEnd(lower) && !options.includes(lower)) head += `${name}: ${value}\r\n`;
  }
  const { address, host, protocol, requestId } = asker;
  head += `host: ${host}\r\nx-forwarded-for: ${address}\r\nx-forwarded-host: ${host}\r\n`;
  head += `x-forwarded-proto: ${protocol}\r\nx-request-id: ${requestId}\r\n`;
  return bodyBytes === undefined ? `${head}\r\n` : `${head}content-length: ${bodyBytes}\r\n\r\n`;
}

const noOptions: readonly string[] = [];

/** What a `Connection` field names (RFC 9110 §7.6.1), in lower case. */
export function connectionOptions(value: string): readonly string[] {
  if (value === '') return noOptions;
  return value
    .split(',')
    .map((option) => option.trim().toLowerCase())
    .filter((option) => option !== '');
}

/** Whether a field, its name in lower case, is for whoever is at the other end; a length is the connection's to tell. */
export function isEndToEnd(name: string): boolean {
  return !hopByHop.has(name) && !ours.has(name);
}

/** The fields of an answer as they come back: the service's own and the gateway's, of what both say the service's; `vary` is a list of both. */
export function answerFields(theirs: FieldList, gateways: FieldList): string[] {
  const fields: string[] = [];
  for (let at = 0; at < gateways.length; at += 2) {
    const [name = '', value = ''] = [gateways[at], gateways[at + 1]];
    if (name === 'vary' || !hasField(theirs, name)) fields.push(name, value);
  }
  for (const part of theirs) fields.push(part);
  return fields;
}

function hasField(fields: FieldList, name: string): boolean {
  for (let at = 0; at < fields.length; at += 2) if (fields[at] === name) return true;
  return false;
}

/**
 * Whether asked twice is as good as asked once (RFC 9110 §9.2.2). A change upon what is there is not: the first try may have been made, and
 * the second would hear 412, as if somebody else had made it (§13.1.1).
 */
export function mayRepeat(method: string, rawFields: readonly string[]): boolean {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return true;
  if (method !== 'PUT' && method !== 'DELETE') return false;
  return !rawFields.some((name, at) => at % 2 === 0 && conditions.has(name.toLowerCase()));
}

const conditions = new Set(['if-match', 'if-none-match', 'if-unmodified-since']);

/** Answers that say that the service, not the request, is in trouble. */
export function isServiceFailure(status: number): boolean {
  return status === 502 || status === 503 || status === 504;
}
