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

/**
 * The fields of a request as they go on: what the client says of its connection, or of who it is, stays behind. `raw` is names
 * and values in turn, and so is the result.
 */
export function requestFields(raw: readonly string[], asker: Asker): string[] {
  const dropped = connectionOptions(raw);
  const kept: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = '', value = ''] = [raw[at], raw[at + 1]];
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || ours.has(lower) || dropped.has(lower)) continue;
    kept.push(name, value);
  }
  kept.push('host', asker.host, 'x-forwarded-for', asker.address, 'x-forwarded-host', asker.host);
  kept.push('x-forwarded-proto', asker.protocol, 'x-request-id', asker.requestId);
  return kept;
}

function connectionOptions(raw: readonly string[]): Set<string> {
  const options = new Set<string>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    if (raw[at]?.toLowerCase() !== 'connection') continue;
    for (const option of (raw[at + 1] ?? '').split(',')) options.add(option.trim().toLowerCase());
  }
  return options;
}

export type FieldValue = string | readonly string[] | undefined;

/** The fields of an answer as they come back: the service's own before the gateway's, of what only one side can say that one's. */
export function answerFields(
  theirs: Readonly<Record<string, FieldValue>>,
  gateways: Readonly<Record<string, FieldValue>>,
): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {};
  const put = (name: string, value: FieldValue): void => {
    if (value !== undefined) fields[name] = typeof value === 'string' ? value : [...value];
  };
  for (const [name, value] of Object.entries(gateways)) put(name, value);
  const options = String(theirs['connection'] ?? '').toLowerCase();
  for (const [name, value] of Object.entries(theirs)) {
    const isTheirs = name === 'content-length' || !hopByHop.has(name);
    if (!isTheirs || ours.has(name) || (options !== '' && options.split(/ *, */).includes(name))) continue;
    put(name, value);
  }
  return fields;
}

/** RFC 9110 §9.2.2: asked twice is as good as asked once. */
export function isIdempotent(method: string): boolean {
  return ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'].includes(method);
}

/** Answers that say that the service, not the request, is in trouble. */
export function isServiceFailure(status: number): boolean {
  return status === 502 || status === 503 || status === 504;
}

/** Failures to connect: nothing of the request has reached anybody. */
export function isUnsent(code: string | undefined): boolean {
  return code !== undefined && unsentCodes.has(code);
}

const unsentCodes = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
]);
