import { createSecretKey } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { exportSPKI, SignJWT } from 'jose';
import t from 'tap';
import { generateKey, loadKey, type SigningKey } from '../../../../common/runtime/keys.ts';
import { startPlane, type TestPlane } from '../../support/control-plane.ts';
import { addPerson } from '../../support/sign-in.ts';

async function accessKey({ dataDir }: TestPlane): Promise<SigningKey> {
  const directory = join(dataDir, 'keys');
  const name = (await readdir(directory)).find((one) => one.startsWith('access-')) ?? 'none';
  const key = await loadKey(join(directory, name));
  if (key === undefined) throw new Error('no key of access tokens');
  return key;
}
t.test('tokens that are not what they say are refused', async (t) => {
  const plane = await startPlane(t);
  const { id } = await addPerson(plane);
  const key = await accessKey(plane);
  const nowS = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'nearcast',
    aud: 'nearcast',
    sub: 'x',
    role: 'operator',
    iat: nowS,
    exp: nowS + 600,
    jti: 'abcdefgh',
  };
  const header = { alg: 'ES256', kid: key.kid, typ: 'at+jwt' };
  const sign = (change: object, head: object = {}) =>
    new SignJWT({ ...claims, ...change }).setProtectedHeader({ ...header, ...head }).sign(key.privateKey);
  const call = async (token: string) => (await plane.call('GET /v1/nodes', { token })).status;
  t.equal(await call(await sign({})), 200, 'the good one');

  const stranger = generateKey();
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const none = (alg: string) => `${part({ ...header, alg })}.${part(claims)}.`;
  const byPublicKey = createSecretKey(Buffer.from(await exportSPKI(key.publicKey)));
  const [, , signature = ''] = (await sign({})).split('.');
  const bad: [string, string][] = [
    ['alg none', none('none')],
    ['alg NONE', none('nOnE')],
    ['a signature of nothing', none('ES256')],
    [
      'the public key as a secret',
      await new SignJWT(claims).setProtectedHeader({ ...header, alg: 'HS256' }).sign(byPublicKey),
    ],
    [
      'claims changed under a signature',
      `${part(header)}.${part({ ...claims, role: 'admin' })}.${signature}`,
    ],
    [
      'a key that it brings itself',
      await new SignJWT(claims)
        .setProtectedHeader({ ...header, jwk: stranger.publicJwk })
        .sign(stranger.privateKey),
    ],
    [
      'a key that it fetches',
      await new SignJWT(claims)
        .setProtectedHeader({ ...header, jku: 'https://evil.example/jwks', x5u: 'https://evil.example/x' })
        .sign(stranger.privateKey),
    ],
    [
      'an extension that nobody knows',
      await new SignJWT(claims)
        .setProtectedHeader({ ...header, crit: ['urn:x'], 'urn:x': 1 })
        .sign(key.privateKey, { crit: { 'urn:x': true } }),
    ],
    ['an unknown key', await sign({}, { kid: 'somebody-else' })],
    ['another issuer', await sign({ iss: plane.url })],
    ['another audience', await sign({ aud: 'urn:nearcast:api' })],
    ['several audiences', await sign({ aud: ['nearcast', 'other'] })],
    ['expired', await sign({ exp: nowS - 60 })],
    ['without an end', await sign({ exp: undefined })],
    ['not yet good', await sign({ nbf: nowS + 600 })],
    ['issued in the future', await sign({ iat: nowS + 600 })],
    ['another type', await sign({}, { typ: 'JWT' })],
    ['no type', await sign({}, { typ: undefined })],
    ['a role that is none', await sign({ role: 'root' })],
    ['of a session that is not there', await sign({ sid: 'ses_nobody-knows-it', sub: id })],
    ['of an API token that is not there', await sign({ sid: 'tok_0123456789abcdef' })],
    ['of a session of no kind', await sign({ sid: 'x' })],
  ];
  for (const [what, token] of bad) t.equal(await call(token), 401, what);
  t.equal(await call(await sign({ scope: 'write' })), 403, 'a scope for something else');
  t.equal(await call(await sign({ scope: 'openid profile' })), 403);
  t.equal(await call(await sign({ role: 'viewer' })), 403);
});
