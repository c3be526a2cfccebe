import { t } from 'tap';
import { Type } from '../../../common/contract/type.ts';
import { documentTypes, type Keyset } from '../../../common/contract/documents.ts';
import { signAccessToken, verifyAccessToken } from '../../../common/runtime/access-tokens.ts';
import { createSeededChance, createSystemChance } from '../../../common/runtime/chance.ts';
import {
  makeEnrolmentCode,
  makeEnrolRequest,
  parseEnrolmentCode,
  verifyEnrolRequest,
} from '../../../common/runtime/enrolment-code.ts';
import { generateKey, type SigningKey } from '../../../common/runtime/keys.ts';
import { createKeyring } from '../../../common/runtime/keyring.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { createProofVerifier, signNodeProof } from '../../../common/runtime/node-proofs.ts';
import { openDocument, signDocument } from '../../../common/runtime/signed-documents.ts';

const chance = createSystemChance();
const clock = createManualClock();
const hourMs = 3_600_000;

function payload<T>(body: T, { sequence = 1, audience = '*' } = {}) {
  const issuedAtMs = clock.nowMs();
  return { audience, sequence, issuedAtMs, notAfterMs: issuedAtMs + hourMs, body };
}

function keysetOf(key: SigningKey, extra: Partial<Keyset['keys'][number]> = {}): Keyset {
  const nowMs = clock.nowMs();
  const entry = { kid: key.kid, use: 'access', jwk: key.publicJwk, revoked: false } as const;
  return { keys: [{ ...entry, notBeforeMs: nowMs - 1, notAfterMs: nowMs + hourMs, ...extra }] };
}

t.test('a signed document opens for its audience, by its key, while it lasts', async (t) => {
  const key = generateKey();
  const schema = Type.Object({ n: Type.Integer() });
  const jws = await signDocument(
    documentTypes.fillManifest,
    payload({ n: 7 }, { sequence: 5, audience: 'a' }),
    key,
  );
  const typ = documentTypes.fillManifest;
  const findKey = (kid: string) => (kid === key.kid ? key.publicKey : undefined);
  const want = { typ, schema, findKey, audience: 'a', sequenceMin: 5, nowMs: clock.nowMs() };
  t.match(await openDocument(jws, want), { sequence: 5, body: { n: 7 } });
  await t.rejects(openDocument(jws, { ...want, audience: 'b' }), { code: 'DOCUMENT_FOREIGN' });
  await t.rejects(openDocument(jws, { ...want, sequenceMin: 6 }), { code: 'DOCUMENT_STALE' });
  await t.rejects(openDocument(jws, { ...want, nowMs: clock.nowMs() + hourMs }), {
    code: 'DOCUMENT_EXPIRED',
  });
  await t.rejects(openDocument(jws, { ...want, findKey: () => undefined }), { code: 'KEY_UNKNOWN' });
  await t.rejects(openDocument(jws, { ...want, findKey: () => generateKey().publicKey }), {
    code: 'SIGNATURE_INVALID',
  });
  await t.rejects(openDocument(jws, { ...want, typ: documentTypes.steeringMap }), {
    code: 'SIGNATURE_INVALID',
  });
  await t.rejects(openDocument(jws, { ...want, schema: Type.Object({ m: Type.Integer() }) }), {
    code: 'SIGNATURE_INVALID',
  });
  await t.rejects(openDocument('rubbish', want), { code: 'SIGNATURE_INVALID' });
  const [header, body = '', signature] = jws.split('.');
  const altered = Buffer.from(Buffer.from(body, 'base64url').toString().replace('7', '8')).toString(
    'base64url',
  );
  await t.rejects(openDocument([header, altered, signature].join('.'), want), { code: 'SIGNATURE_INVALID' });
});

t.test('a keyring takes what the root signed and gives keys that are in force', async (t) => {
  const root = generateKey();
  const key = generateKey();
  const keyring = createKeyring({ rootJwk: root.publicJwk, clock });
  const sign = (keyset: Keyset, sequence: number, by = root) =>
    signDocument(documentTypes.keyset, payload(keyset, { sequence }), by);
  t.equal(keyring.find(key.kid, 'access'), undefined);
  await t.rejects(keyring.take(await sign(keysetOf(key), 1, key)), { code: 'KEY_UNKNOWN' });
  const second = await sign(keysetOf(key), 2);
  t.equal(await keyring.take(second), true);
  t.equal(await keyring.take(second), false);
  t.equal(keyring.signed(), second);
  t.ok(keyring.find(key.kid, 'access'));
  t.equal(keyring.find(key.kid, 'tokens'), undefined);
  await t.rejects(keyring.take(await sign(keysetOf(key), 1)), { code: 'DOCUMENT_STALE' });
  await keyring.take(await sign(keysetOf(key, { revoked: true }), 3));
  t.equal(keyring.find(key.kid, 'access'), undefined);
  await keyring.take(await sign(keysetOf(key, { notBeforeMs: clock.nowMs() + 1000 }), 4));
  t.equal(keyring.find(key.kid, 'access'), undefined);
  await clock.advance(1000);
  t.ok(keyring.find(key.kid, 'access'));
});

t.test('an access token passes until it expires, for the keys in force only', async (t) => {
  const key = generateKey();
  const findKey = (kid: string) => (kid === key.kid ? key.publicKey : undefined);
  const { token, expiresAtMs } = await signAccessToken(
    { sub: 'me', role: 'admin', ttlS: 60 },
    { key, clock, chance },
  );
  t.match(await verifyAccessToken(token, { findKey, clock }), { sub: 'me', role: 'admin' });
  t.ok(Math.abs(expiresAtMs - clock.nowMs() - 60_000) <= 1000);
  await t.rejects(verifyAccessToken(token, { findKey: () => undefined, clock }), {
    code: 'CREDENTIAL_INVALID',
  });
  await t.rejects(verifyAccessToken(`${token.slice(0, -4)}AAAA`, { findKey, clock }), {
    code: 'CREDENTIAL_INVALID',
  });
  const early = createManualClock({ nowMs: clock.nowMs() - 60_000 });
  await t.rejects(verifyAccessToken(token, { findKey, clock: early }), { code: 'CLOCK_SKEW' });
  await clock.advance(91_000);
  await t.rejects(verifyAccessToken(token, { findKey, clock }), { code: 'CREDENTIAL_EXPIRED' });
});

t.test('a node proof passes once, for its request, by its node', async (t) => {
  const key = generateKey();
  const known = { nodeId: 'isp-a-1', role: 'appliance', publicKey: key.publicKey, revoked: false } as const;
  const findNode = (kid: string) => (kid === key.kid ? known : undefined);
  const verify = createProofVerifier({ audience: 'control-plane', clock, findNode });
  const call = { method: 'PUT', path: '/v1/nodes/isp-a-1/heartbeat' };
  const sign = (extra = {}, signer = { key, clock, chance }) =>
    signNodeProof({ nodeId: 'isp-a-1', audience: 'control-plane', ...call, ...extra }, signer);
  const proof = await sign();
  t.same(await verify(proof, call), { nodeId: 'isp-a-1', role: 'appliance' });
  await t.rejects(verify(proof, call), { code: 'CREDENTIAL_INVALID', message: /used before/ });
  await t.rejects(verify(await sign(), { ...call, method: 'GET' }), { code: 'CREDENTIAL_INVALID' });
  await t.rejects(verify(await sign({ path: '/v1/other' }), call), { code: 'CREDENTIAL_INVALID' });
  await t.rejects(verify(await sign({ nodeId: 'isp-a-2' }), call), { message: /names another node/ });
  await t.rejects(verify(await sign({ audience: 'steering' }), call), { code: 'CREDENTIAL_INVALID' });
  await t.rejects(verify(await sign({}, { key: generateKey(), clock, chance }), call), {
    message: /no enrolled node/,
  });
  const revoked = createProofVerifier({
    audience: 'control-plane',
    clock,
    findNode: () => ({ ...known, revoked: true }),
  });
  await t.rejects(revoked(await sign(), call), { code: 'NODE_REVOKED' });
  const old = await sign();
  await clock.advance(95_000);
  await t.rejects(verify(old, call), { code: 'CREDENTIAL_EXPIRED' });
  const ahead = createManualClock({ nowMs: clock.nowMs() + 45_000 });
  await t.rejects(verify(await sign({}, { key, clock: ahead, chance }), call), { code: 'CLOCK_SKEW' });
});

t.test('an access token does not pass as a proof, nor a proof as an access token', async (t) => {
  const key = generateKey();
  const findKey = () => key.publicKey;
  const proof = await signNodeProof(
    { nodeId: 'x', audience: 'steering', method: 'GET', path: '/' },
    { key, clock, chance },
  );
  await t.rejects(verifyAccessToken(proof, { findKey, clock }), { code: 'CREDENTIAL_INVALID' });
});

t.test('an enrolment code holds a secret and the root it is for; the request proves the key', async (t) => {
  const root = generateKey();
  const key = generateKey();
  const { code, secretHash } = makeEnrolmentCode(root.kid, chance);
  const { secret, rootKid } = parseEnrolmentCode(`${code}\n`);
  t.equal(rootKid, root.kid);
  t.not(secret, secretHash);
  const request = await makeEnrolRequest(secret, key);
  await verifyEnrolRequest(request);
  const other = makeEnrolmentCode(root.kid, chance);
  await t.rejects(verifyEnrolRequest({ ...request, secret: parseEnrolmentCode(other.code).secret }), {
    code: 'CREDENTIAL_INVALID',
  });
  await t.rejects(verifyEnrolRequest({ ...request, publicJwk: generateKey().publicJwk }), {
    code: 'CREDENTIAL_INVALID',
  });
  t.throws(() => parseEnrolmentCode('nc1.short.x'), { code: 'ENROLMENT_CODE_INVALID' });
});

t.test('seeded chance repeats itself', (t) => {
  const [a, b] = [createSeededChance(7), createSeededChance(7)];
  t.equal(a.fraction(), b.fraction());
  t.same(a.bytes(8), b.bytes(8));
  t.not(a.fraction(), a.fraction());
  t.end();
});
