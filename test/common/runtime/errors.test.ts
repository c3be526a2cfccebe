import { t } from 'tap';
import { assert, coded, isCoded, toCoded, toProblem, valueOf } from '../../../common/runtime/errors.ts';
import { exitCodeOf, exitCodes } from '../../../common/runtime/exit-codes.ts';
import { nearest } from '../../../common/runtime/nearest.ts';
import { redactFields, redactText } from '../../../common/runtime/redact.ts';

const file = 'a'.repeat(64);
const token = `0oRDoQEm${'x'.repeat(200)}`;

t.test('a coded error says what is wrong and carries status, detail and cause', (t) => {
  const cause = new Error('socket closed');
  const error = coded('CONTROL_UNREACHABLE', { detail: 'http://127.0.0.1:7070 refuses', cause });
  t.equal(error.status, 503);
  t.equal(error.message, 'The control plane cannot be reached: http://127.0.0.1:7070 refuses');
  t.equal(error.cause, cause);
  t.ok(isCoded(error, 'CONTROL_UNREACHABLE'));
  t.notOk(isCoded(error, 'INVALID'));
  t.end();
});

t.test('anything thrown gets a code', (t) => {
  const codes = [
    Object.assign(new Error('x'), { code: 'ENOSPC' }),
    Object.assign(new Error('x'), { code: 'EADDRINUSE' }),
    Object.assign(new Error('x'), { code: 'TITLE_UNKNOWN' }),
    new DOMException('x', 'TimeoutError'),
    new DOMException('x', 'AbortError'),
    new TypeError('x'),
    'text',
    undefined,
  ].map((thrown) => toCoded(thrown).code);
  t.same(codes, [
    'DISK_FULL',
    'ADDRESS_IN_USE',
    'TITLE_UNKNOWN',
    'TIMEOUT',
    'ABORTED',
    'INTERNAL',
    'INTERNAL',
    'INTERNAL',
  ]);
  t.end();
});

t.test('problem details follow RFC 9457 and leak neither internals nor tokens', (t) => {
  t.same(toProblem(coded('TITLE_UNKNOWN', 'ti_1'), `/v1/${token}/${file}.mp4`), {
    type: 'urn:nearcast:problem:title-unknown',
    title: 'No title has this id',
    status: 404,
    code: 'TITLE_UNKNOWN',
    detail: 'ti_1',
    instance: `/v1/[hidden]/${file}.mp4`,
  });
  t.notMatch(toProblem(new Error('the database password is x')), { detail: String });
  t.end();
});

t.test('a refusal of a pure check becomes a coded error', (t) => {
  t.equal(valueOf({ ok: true, value: 7 }), 7);
  t.throws(() => void valueOf({ ok: false, code: 'TOKEN_EXPIRED', detail: 'old' }), {
    code: 'TOKEN_EXPIRED',
  });
  t.end();
});

t.test('assert throws on a bug only', (t) => {
  assert(true, 'fine');
  t.throws(() => {
    assert(false, 'end before start');
  }, /end before start/);
  t.end();
});

t.test('exit codes tell the kinds of failure apart', (t) => {
  const denied = Object.assign(new Error('x'), { code: 'EACCES' });
  t.equal(exitCodeOf(coded('CONFIG_INVALID')), exitCodes.config);
  t.equal(exitCodeOf(coded('ADDRESS_IN_USE')), exitCodes.unavailable);
  t.equal(exitCodeOf(coded('DISK_FULL')), exitCodes.cannotCreate);
  t.equal(exitCodeOf(coded('STORE_UNAVAILABLE', { cause: denied })), exitCodes.permission);
  t.equal(exitCodeOf(coded('TITLE_UNKNOWN')), exitCodes.failed);
  t.equal(exitCodeOf(new Error('bug')), exitCodes.internal);
  t.end();
});

t.test('the nearest known word is suggested, or none', (t) => {
  t.equal(nearest('prot', ['port', 'dataDir']), 'port');
  t.equal(nearest('datadir', ['port', 'dataDir']), 'dataDir');
  t.equal(nearest('somethingElse', ['port', 'dataDir']), undefined);
  t.end();
});

t.test('credentials are hidden in text', (t) => {
  const jwt = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';
  const cases: [string, string][] = [
    [`GET /v1/${token}/${file}.mp4`, `GET /v1/[hidden]/${file}.mp4`],
    [`/v1/short/${file}.m3u8?x=1`, `/v1/[hidden]/${file}.m3u8?x=1`],
    ['/v1/steer/abc?_HLS_pathway=a', '/v1/steer/[hidden]?_HLS_pathway=a'],
    ['/v1/playback/abc/master.m3u8', '/v1/playback/[hidden]/master.m3u8'],
    [`/v1/odd/${token}/x`, '/v1/odd/[hidden]/x'],
    ['authorization: Bearer abcdefgh12345', 'authorization: Bearer [hidden]'],
    [`token ${jwt} here`, 'token [hidden] here'],
    [`nc1.${'s'.repeat(32)}.${'t'.repeat(43)}`, `nc1.[hidden].${'t'.repeat(43)}`],
    ['/v1/nodes/isp-a-1/heartbeat', '/v1/nodes/isp-a-1/heartbeat'],
    [`/files/${file}.chunks`, `/files/${file}.chunks`],
  ];
  for (const [text, clean] of cases) t.equal(redactText(text), clean);
  t.end();
});

t.test('secret fields are hidden by name, at any depth', (t) => {
  const clean = redactFields({
    headers: { authorization: 'x', host: 'h' },
    jwk: { kty: 'EC', x: 'public', d: 'private' },
    list: [{ enrolmentCode: 'x' }],
    d: 'kept',
  });
  t.same(clean, {
    headers: { authorization: '[hidden]', host: 'h' },
    jwk: { kty: 'EC', x: 'public', d: '[hidden]' },
    list: [{ enrolmentCode: '[hidden]' }],
    d: 'kept',
  });
  t.end();
});
