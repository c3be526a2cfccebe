/**
 * Takes credentials out of text and records before they reach a log, a metric, a trace or an error
 * (design decision 3: a token never appears in any of them).
 */

const HIDDEN = '[hidden]';

const TEXT_RULES: readonly (readonly [RegExp, string])[] = [
  // The token's own place in the paths of appliances, steering and the control plane.
  [/(\/v1\/(?:steer|go|playback|events)\/)[^/\s?#"'\\]+/g, `$1${HIDDEN}`],
  [/(\/v1\/)[^/\s?#"'\\]+(?=\/[0-9a-f]{64}\b)/g, `$1${HIDDEN}`],
  // Any other base64url run that is long enough to hold an ES256 signature, wherever it stands.
  [/[\w-]{86,}/g, HIDDEN],
  // JWS and JWT, with or without their scheme in front.
  [/\beyJ[\w-]{8,}\.[\w-]*\.[\w-]+/g, HIDDEN],
  [/\b(Bearer|Basic|DPoP)\s+[\w.~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
  [/\bnc1\.[\w-]{8,}(?=\.|\b)/g, `nc1.${HIDDEN}`],
  [/\b(ncat_[0-9a-f]{16})_[\w-]{8,}/g, `$1_${HIDDEN}`],
  // A field of a JSON line; bindings of child loggers come past redactFields.
  [/("[\w-]*(?:authorization|cookie|secret|password|token)":")(?:[^"\\]|\\.)+/gi, `$1${HIDDEN}`],
  [/([?&](?:access_?token|token|secret|code|sig(?:nature)?)=)[^&\s#"'\\]+/gi, `$1${HIDDEN}`],
];

/** Replaces every credential that can be known by its form or its place. Linear in the text's length. */
export function redactText(text: string): string {
  let out = text;
  for (const [pattern, replacement] of TEXT_RULES) out = out.replace(pattern, replacement);
  return out;
}

const SECRET_KEY =
  /(?:authorization|cookie|secret|password|passphrase|token|privatejwk|privatekey|enrolmentcode)$/i;
const DEPTH_MAX = 6;

/**
 * A copy of a log record's fields without the values whose names say that they are secret, and without a
 * private JWK's `d`. Text inside is left to `redactText`, which sees the finished line.
 */
export function redactFields(fields: Record<string, unknown>): Record<string, unknown> {
  return redactObject(fields, 0);
}

function redactObject(fields: object, depth: number): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const isKey = 'kty' in fields;
  for (const [key, value] of Object.entries(fields)) {
    const secret = SECRET_KEY.test(key) || (isKey && key === 'd');
    out[key] = secret && value !== undefined ? HIDDEN : redactValue(value, depth + 1);
  }
  return out;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEPTH_MAX) return '[deep]';
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  // Errors, dates, buffers and the like have their own serialisers.
  return prototype === Object.prototype || prototype === null ? redactObject(value, depth) : value;
}
