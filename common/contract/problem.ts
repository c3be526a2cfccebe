import { Type, type Static } from './type.ts';

/** RFC 9457 problem details as every plane answers them; `code` is stable, for programs. */
export const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String(),
  detail: Type.Optional(Type.String()),
  instance: Type.Optional(Type.String()),
  fields: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
});
export type Problem = Static<typeof Problem>;

/** One table of everything that can fail: stable code → HTTP status and a title that says what is wrong. */
export const problemCodes = {
  // requests
  BAD_REQUEST: { status: 400, title: 'The request is malformed' },
  INVALID: { status: 400, title: 'A field of the request is not valid' },
  BODY_TOO_LARGE: {
    status: 413,
    title: 'The body is larger than this route takes',
  },
  JSON_KEY_DUPLICATE: { status: 400, title: 'An object of the body names a key twice' },
  JSON_KEY_FORBIDDEN: { status: 400, title: 'A key of the body is not allowed' },
  JSON_TOO_DEEP: { status: 400, title: 'The body is nested too deeply' },
  PARAMETERS_TOO_MANY: { status: 400, title: 'The address has too many parameters' },
  TEXT_INVALID: { status: 400, title: 'The text is not UTF-8' },
  HEADER_TOO_LARGE: { status: 431, title: 'The head of the request is longer than this server takes' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request did not come in time' },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: 'This route does not take that content type',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'This route does not take that method',
  },
  NOT_FOUND: { status: 404, title: 'There is nothing at this address' },
  CONFLICT: { status: 409, title: 'The object has changed meanwhile' },
  PRECONDITION_FAILED: { status: 412, title: 'The object has changed since it was read' },
  PRECONDITION_REQUIRED: { status: 428, title: 'The change must name what it was made upon' },
  RATE_LIMITED: { status: 429, title: 'Too many requests' },
  OVERLOADED: {
    status: 429,
    title: 'The server sheds load; try elsewhere or later',
  },
  DRAINING: { status: 429, title: 'The server is draining; use another' },
  INTERNAL: {
    status: 500,
    title: 'Something went wrong here; the log names it by the request id',
  },
  UPSTREAM_FAILED: { status: 502, title: 'The service behind the gateway did not answer' },
  UNAVAILABLE: { status: 503, title: 'The service cannot answer now' },
  // credentials
  CREDENTIAL_MISSING: { status: 401, title: 'This route needs a credential' },
  CREDENTIAL_INVALID: { status: 401, title: 'The credential is not valid' },
  CREDENTIAL_EXPIRED: { status: 401, title: 'The credential has expired' },
  FORBIDDEN: { status: 403, title: 'The credential does not allow this' },
  TOKEN_INVALID: { status: 403, title: 'The delivery token is not valid' },
  TOKEN_EXPIRED: { status: 403, title: 'The delivery token has expired' },
  TOKEN_REVOKED: { status: 403, title: 'The delivery token was revoked' },
  TOKEN_FOREIGN: {
    status: 403,
    title: 'The delivery token does not cover this file',
  },
  TOKEN_CLIENT: {
    status: 403,
    title: 'The delivery token is not for the network that the request comes from',
  },
  CLOCK_SKEW: {
    status: 401,
    title: 'The clocks of the two sides differ by more than 30 s',
  },
  // accounts
  ACCOUNT_UNKNOWN: { status: 404, title: 'No account has this id' },
  API_TOKEN_UNKNOWN: { status: 404, title: 'You have no API token with this id' },
  AUDIT_BROKEN: { status: 500, title: 'The audit log was tampered with' },
  AUDIT_UNAVAILABLE: {
    status: 503,
    title: 'The audit log cannot be written, and nothing is done without it',
  },
  CLIENT_UNKNOWN: { status: 404, title: 'No OAuth client has this id' },
  EMAIL_TAKEN: { status: 409, title: 'Another account has this address' },
  FIRST_ADMIN_CODE_INVALID: { status: 403, title: 'The code for the first admin is not valid' },
  LINK_INVALID: { status: 410, title: 'The link was used already, or is too old' },
  MAIL_REFUSED: { status: 502, title: 'The mail server does not take the letter' },
  MAIL_UNAVAILABLE: { status: 503, title: 'The letter cannot be handed to the mail server now' },
  PASSKEY_FAILED: { status: 401, title: 'The passkey was not accepted' },
  PASSKEY_UNKNOWN: { status: 404, title: 'You have no passkey with this id' },
  PASSWORD_WEAK: { status: 400, title: 'The password is not strong enough' },
  SECOND_FACTOR_FAILED: { status: 401, title: 'The code is not right, or was used already' },
  SECOND_FACTOR_MISSING: { status: 403, title: 'Your role needs codes of an authenticator to sign in' },
  SESSION_UNKNOWN: { status: 404, title: 'You have no session with this id' },
  SIGN_IN_FAILED: { status: 401, title: 'Address or password are not right' },
  // billing
  AMOUNT_INVALID: { status: 400, title: 'The amount is not valid' },
  COUPON_NOT_REDEEMABLE: { status: 409, title: 'The coupon cannot be redeemed' },
  COUPON_UNKNOWN: { status: 404, title: 'No coupon has this name' },
  CURRENCY_MISMATCH: { status: 409, title: 'The currencies do not match' },
  CURRENCY_UNKNOWN: { status: 400, title: 'No currency of ISO 4217 has this code' },
  IDEMPOTENCY_KEY_REUSED: { status: 409, title: 'The idempotency key was used for another request' },
  INVOICE_UNKNOWN: { status: 404, title: 'No invoice has this id' },
  LEDGER_INVALID: { status: 400, title: 'The ledger takes no transaction like this' },
  LEDGER_UNBALANCED: { status: 400, title: 'The entries of a transaction do not sum to zero' },
  PLAN_UNKNOWN: { status: 404, title: 'No plan has this name' },
  SUBSCRIPTION_EXISTS: { status: 409, title: 'The account has a subscription' },
  SUBSCRIPTION_STATE: { status: 409, title: 'The subscription is not in a state for this' },
  SUBSCRIPTION_UNKNOWN: { status: 404, title: 'No subscription has this id' },
  // profiles and what they watch
  DEVICE_CLOCK_WRONG: { status: 409, title: 'The clock of the device is more than a minute off' },
  PIN_WRONG: { status: 403, title: 'The PIN is not right' },
  POSITION_BEYOND_END: { status: 422, title: 'The position is beyond the end of the title' },
  PROFILE_LOCKED: { status: 403, title: 'The profile asks for its PIN' },
  PROFILE_NAME_TAKEN: { status: 409, title: 'Another profile of the account has this name' },
  PROFILE_UNKNOWN: { status: 404, title: 'You have no profile with this id' },
  PROFILES_TOO_MANY: { status: 409, title: 'The account has as many profiles as may be' },
  VIEWING_TIME_INVALID: { status: 422, title: 'The time of the report cannot be' },
  // enrolment and nodes
  ENROLMENT_CODE_INVALID: {
    status: 403,
    title: 'The enrolment code is not known',
  },
  ENROLMENT_CODE_USED: {
    status: 403,
    title: 'The enrolment code was already used',
  },
  ENROLMENT_CODE_EXPIRED: {
    status: 403,
    title: 'The enrolment code has expired; ask for a new one',
  },
  NAME_TAKEN: { status: 409, title: 'Another node has this name' },
  MAINTENANCE_UNKNOWN: { status: 404, title: 'No maintenance has this id' },
  NODE_UNKNOWN: { status: 404, title: 'No node has this name' },
  NODE_REVOKED: { status: 403, title: 'This node was revoked' },
  WRONG_CONTROL_PLANE: {
    status: 403,
    title: 'The control plane is not the one the code was made by',
  },
  CONTROL_UNREACHABLE: {
    status: 503,
    title: 'The control plane cannot be reached',
  },
  STEERING_UNREACHABLE: { status: 503, title: 'Steering cannot be reached' },
  // signed documents
  SIGNATURE_INVALID: {
    status: 400,
    title: 'The signature of a document does not verify',
  },
  DOCUMENT_EXPIRED: {
    status: 400,
    title: 'A signed document is past its notAfter',
  },
  DOCUMENT_STALE: {
    status: 400,
    title: 'A signed document is older than the one held',
  },
  DOCUMENT_FOREIGN: {
    status: 400,
    title: 'A signed document is for another audience',
  },
  KEY_UNKNOWN: {
    status: 400,
    title: 'A signed document names a key that the keyset does not hold',
  },
  // route tables and holdings
  HISTORY_GONE: { status: 404, title: 'Steering keeps nothing of that time' },
  HOLDINGS_INVALID: { status: 400, title: 'Holdings are not readable' },
  ROUTE_SOURCE_UNAVAILABLE: { status: 503, title: 'The routing daemon cannot be asked' },
  ROUTE_SOURCE_UNREADABLE: { status: 502, title: 'The routing daemon says what is not understood' },
  ROUTE_TABLE_INVALID: { status: 400, title: 'A route table is not readable' },
  ROUTE_TABLE_MISMATCH: { status: 502, title: 'A route table does not match its name' },
  ROUTE_TABLE_UNKNOWN: { status: 404, title: 'No route table of this name is held here' },
  // files, titles, encoding
  FILE_UNKNOWN: { status: 404, title: 'This file is not held here' },
  FILE_CORRUPT: { status: 502, title: 'A file does not match its name' },
  BUNDLE_INVALID: { status: 502, title: 'A bundle is not readable' },
  TITLE_CYCLE: { status: 422, title: 'A title would be part of itself' },
  TITLE_KIND_FIXED: {
    status: 409,
    title: 'A title with a video cannot become one without, nor the other way',
  },
  TITLE_PARENT_INVALID: { status: 422, title: 'A title of this kind cannot be part of that' },
  TITLE_TEXT_INVALID: { status: 422, title: 'A text of the title cannot be shown' },
  TITLE_UNKNOWN: { status: 404, title: 'No title has this id' },
  TITLE_NOT_LIVE: { status: 409, title: 'The title is not ready to play' },
  UPLOAD_UNKNOWN: { status: 404, title: 'No upload has this id' },
  UPLOAD_OFFSET: {
    status: 409,
    title: 'The upload continues at another offset',
  },
  UPLOAD_INCOMPLETE: { status: 409, title: 'The upload is not complete' },
  UPLOAD_TOO_LARGE: {
    status: 413,
    title: 'The upload is larger than announced or allowed',
  },
  PATH_NOT_ALLOWED: {
    status: 403,
    title: 'The path is not under a configured ingest root',
  },
  PATH_UNREADABLE: {
    status: 400,
    title: 'The path is missing or cannot be read',
  },
  LEASE_LOST: { status: 409, title: 'The lease has passed to another worker' },
  JOB_UNKNOWN: { status: 404, title: 'No job has this id' },
  SOURCE_EMPTY: { status: 422, title: 'The source holds no bytes' },
  SOURCE_NOT_VIDEO: {
    status: 422,
    title: 'The source is not a video that can be read',
  },
  SOURCE_TRUNCATED: { status: 422, title: 'The source ends before its end' },
  SOURCE_NO_VIDEO: {
    status: 422,
    title: 'The source has sound but no picture',
  },
  SOURCE_REFUSED: {
    status: 422,
    title: 'The source asks for something that is not allowed',
  },
  ENCODE_FAILED: { status: 500, title: 'The encode failed' },
  ENCODE_LIMIT: {
    status: 500,
    title: 'The encode went over its time, memory or size limit',
  },
  FFMPEG_MISSING: { status: 500, title: 'ffmpeg or ffprobe is not installed' },
  // storage
  DISK_FAILED: { status: 503, title: 'A disk answers with errors' },
  DISK_FOREIGN: { status: 409, title: 'A disk belongs to another appliance' },
  DISK_FULL: { status: 507, title: 'The disk is full' },
  DISK_GONE: { status: 503, title: 'A disk is not where it was' },
  DISK_READ_ONLY: { status: 503, title: 'A disk can only be read' },
  DISK_SLOW: { status: 503, title: 'A disk does not answer in time' },
  DISK_TWICE: { status: 409, title: 'The same disk is configured twice' },
  STORE_UNAVAILABLE: {
    status: 503,
    title: 'The storage cannot be reached or written',
  },
  STORE_LOCKED: { status: 409, title: 'Another process holds this storage' },
  STORE_NEWER: {
    status: 409,
    title: 'This storage was written by a newer version',
  },
  STORE_CORRUPT: { status: 500, title: 'The storage is damaged' },
  KEY_INVALID: { status: 400, title: 'A storage key is not valid' },
  STORE_DENIED: { status: 503, title: 'The storage may not be read or written by this user' },
  RECORDS_CONFLICT: { status: 409, title: 'A record has changed meanwhile' },
  VALUE_TOO_LARGE: { status: 413, title: 'A value is larger than the storage takes' },
  SIZE_MISMATCH: { status: 400, title: 'The bytes are not as many as announced' },
  // process
  CONFIG_INVALID: { status: 500, title: 'The configuration is not valid' },
  TLS_CERTIFICATE_INVALID: { status: 500, title: 'A TLS certificate cannot be used' },
  TLS_CERTIFICATE_EXPIRED: { status: 500, title: 'A TLS certificate has expired' },
  TLS_CERTIFICATE_PENDING: { status: 500, title: 'No authority has certified the box yet' },
  GEO_FILE_INVALID: { status: 500, title: 'The file of places is no MaxMind database that can be read' },
  CERTIFICATES_OFF: { status: 404, title: 'No authority certifies boxes here' },
  OPENSSL_FAILED: { status: 500, title: 'openssl made no request for a certificate' },
  ACME_ORDER_FAILED: { status: 502, title: 'The authority gave no certificate' },
  TLS_CERTIFICATE_EXPIRES: { status: 500, title: 'A TLS certificate expires within 14 days' },
  ADDRESS_IN_USE: {
    status: 500,
    title: 'Another process listens on this address',
  },
  ADDRESS_UNAVAILABLE: {
    status: 500,
    title: 'This address cannot be listened on',
  },
  SERVING_WORKER_FAILED: { status: 500, title: 'A process that serves files does not stay up' },
  TIMEOUT: { status: 504, title: 'It took longer than allowed' },
  ABORTED: { status: 499, title: 'The caller went away' },
  // fill
  FILL_NO_SOURCE: { status: 503, title: 'No source has this file' },
  FILL_CHECKSUM: { status: 502, title: 'A chunk does not match its hash' },
  FILL_SOURCE_FAILED: { status: 502, title: 'A source failed in mid-transfer' },
  FILL_NO_SPACE: {
    status: 507,
    title: 'The manifest names more than the disks hold',
  },
  STEERING_ENDED: { status: 410, title: 'Steering has ended for this playback, which may go on without' },
  NO_PATHWAY: { status: 503, title: 'No healthy appliance can serve this' },
  RATINGS_INVALID: { status: 422, title: 'The file holds no ratings that can be read' },
  TRACE_INVALID: { status: 422, title: 'The trace is not of the format that was named' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof problemCodes;
