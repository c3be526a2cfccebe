import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calculateJwkThumbprint } from 'jose';
import { t } from 'tap';
import {
  exportPrivateKey,
  generateKey,
  importPrivateKey,
  importPublicJwk,
  loadKey,
  loadOrCreateKey,
  saveKey,
  secretsEqual,
  thumbprint,
} from '../../../common/runtime/keys.ts';

t.test('the thumbprint is that of RFC 7638', async (t) => {
  const { kid, publicJwk } = generateKey();
  t.equal(kid, await calculateJwkThumbprint(publicJwk));
  t.equal(thumbprint(publicJwk), kid);
});

t.test('a key is kept in a file that only its owner may read', async (t) => {
  const path = join(t.testdir(), 'root.key');
  t.equal(await loadKey(path), undefined);
  const key = generateKey();
  await saveKey(path, key);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.equal((await loadKey(path))?.kid, key.kid);
  t.equal((await loadOrCreateKey(path)).kid, key.kid);
  await t.rejects(saveKey(path, generateKey()), { code: 'CONFLICT' });
  chmodSync(path, 0o644);
  await t.rejects(loadKey(path), { code: 'CONFIG_INVALID', message: /mode 644.*chmod 600/ });
});

t.test('concurrent makers of one key end with the same', async (t) => {
  const path = join(t.testdir(), 'node.key');
  const keys = await Promise.all([loadOrCreateKey(path), loadOrCreateKey(path), loadOrCreateKey(path)]);
  t.equal(new Set(keys.map((key) => key.kid)).size, 1);
});

t.test('a damaged key and a directory that is missing are told', async (t) => {
  const dir = t.testdir();
  writeFileSync(join(dir, 'bad.key'), 'nonsense', { mode: 0o600 });
  await t.rejects(loadKey(join(dir, 'bad.key')), { code: 'STORE_CORRUPT', message: /bad\.key/ });
  await t.rejects(saveKey(join(dir, 'none', 'x.key'), generateKey()), { code: 'STORE_UNAVAILABLE' });
});

t.test('export and import; points off the curve are refused; secrets compare', (t) => {
  const key = generateKey();
  t.equal(importPrivateKey(exportPrivateKey(key), 'x').kid, key.kid);
  const off = { ...key.publicJwk, x: key.publicJwk.y };
  t.throws(() => importPublicJwk(off), { code: 'KEY_UNKNOWN' });
  t.ok(secretsEqual('abc', 'abc'));
  t.notOk(secretsEqual('abc', 'abcd'));
  t.end();
});
