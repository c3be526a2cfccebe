import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Keyset } from '../../../../common/contract/documents.ts';
import { documentTypes } from '../../../../common/contract/documents.ts';
import { openRecords } from '../../../../common/adapters/records/open.ts';
import { importPublicJwk, thumbprint } from '../../../../common/runtime/keys.ts';
import { createManualClock, type ManualClock } from '../../../../common/runtime/manual-clock.ts';
import { openDocument } from '../../../../common/runtime/signed-documents.ts';
import { createDocumentIssuer } from '../../../../control-plane/services/access/issuer.ts';
import { openKeyStore, type KeyStore } from '../../../../control-plane/services/access/key-store.ts';
import { openAccessRecords } from '../../../../control-plane/services/access/records.ts';
import { startPlane, temporaryDir } from '../../support/control-plane.ts';

const dayMs = 86_400_000;

async function openKeys(t: Parameters<typeof temporaryDir>[0], clock: ManualClock, dir?: string) {
  const home = dir ?? (await temporaryDir(t));
  const store = await openRecords(`sqlite://${home}/access.db`);
  t.teardown(() => store.close());
  const records = openAccessRecords(store);
  const directory = join(home, 'keys');
  const keys = await openKeyStore({ directory, records, clock });
  return { home, directory, keys, records, close: () => store.close() };
}

function keysetOf(keys: KeyStore, clock: ManualClock) {
  const rootKid = thumbprint(keys.rootJwk);
  return openDocument(keys.keyset().jws, {
    typ: documentTypes.keyset,
    schema: Keyset,
    audience: 'anyone',
    sequenceMin: 0,
    nowMs: clock.nowMs(),
    findKey: (kid) => (kid === rootKid ? importPublicJwk(keys.rootJwk) : undefined),
  });
}

t.test(
  'first start: a root, a key of every use, a keyset by the root; files that only the owner reads',
  async (t) => {
    const clock = createManualClock();
    const { keys, directory } = await openKeys(t, clock);
    const { body, sequence } = await keysetOf(keys, clock);
    t.equal(sequence, 1);
    t.strictSame(body.keys.map(({ use }) => use).sort(), ['access', 'documents', 'tokens']);
    t.equal((await stat(directory)).mode & 0o777, 0o700);
    for (const name of await readdir(directory))
      t.equal((await stat(join(directory, name))).mode & 0o777, 0o600, name);
    t.equal(keys.signer('tokens').kid, body.keys.find(({ use }) => use === 'tokens')?.kid);
  },
);

t.test('a key that others may read is refused with the command that mends it', async (t) => {
  const clock = createManualClock();
  const { home, directory, close } = await openKeys(t, clock);
  await close();
  const [name = ''] = (await readdir(directory)).filter((file) => file.startsWith('tokens'));
  await writeFile(join(directory, name), '', { mode: 0o644 });
  const { chmod } = await import('node:fs/promises');
  await chmod(join(directory, name), 0o644);
  await t.rejects(openKeys(t, clock, home), { code: 'CONFIG_INVALID', message: /chmod 600/ });
});

t.test(
  'rotation: new keys are known before they sign, old ones verify until what they signed has ended',
  async (t) => {
    const clock = createManualClock();
    const { keys, directory } = await openKeys(t, clock);
    const old = keys.signer('tokens').kid;
    await keys.rotate();
    t.equal((await keysetOf(keys, clock)).sequence, 2);
    t.equal(keys.signer('tokens').kid, old, 'verifiers have ten minutes to learn the new keys');
    clock.jumpWall(11 * 60_000);
    const fresh = keys.signer('tokens').kid;
    t.not(fresh, old);
    t.ok(keys.keyring.find(old, 'tokens'), 'tokens that are out go on');
    clock.jumpWall(dayMs);
    t.notOk(keys.keyring.find(old, 'tokens'), 'a day later none can be out');
    t.ok(keys.keyring.find(fresh, 'tokens'));
    clock.jumpWall(31 * dayMs);
    await keys.rotate();
    t.notOk(
      (await readdir(directory)).some((name) => name.includes(old)),
      'its private key is gone',
    );
  },
);

t.test('a revoked key is refused at once, and another signs', async (t) => {
  const clock = createManualClock();
  const { keys } = await openKeys(t, clock);
  const stolen = keys.signer('documents').kid;
  await keys.rotate([stolen]);
  t.notOk(keys.keyring.find(stolen, 'documents'));
  t.not(keys.signer('documents').kid, stolen);
  await t.rejects(keys.rotate(['A'.repeat(43)]), { code: 'KEY_UNKNOWN' });
});

t.test('a clock that was set back to before the keys: it is said, and new ones are made', async (t) => {
  const clock = createManualClock({ nowMs: Date.UTC(2031, 0, 1) });
  const { keys, home, directory, close } = await openKeys(t, clock);
  const early = keys.signer('access').kid;
  clock.jumpWall(-3 * 365 * dayMs);
  t.notOk(keys.signsNow());
  t.throws(() => keys.signer('access'), {
    code: 'UNAVAILABLE',
    message: /begin only at 2031-01-01.*set back/,
  });
  await rename(join(directory, 'root.pem'), join(home, 'offline.pem'));
  t.equal(await keys.renew(), 'root-offline');
  await close();
  await rename(join(home, 'offline.pem'), join(directory, 'root.pem'));
  const again = await openKeys(t, clock, home);
  t.equal(await again.keys.renew(), 'renewed');
  t.ok(again.keys.signsNow());
  t.not(again.keys.signer('access').kid, early);
  t.ok(again.keys.keyring.find(again.keys.signer('access').kid, 'access'), 'and what they sign is taken');
  t.equal((await keysetOf(again.keys, clock)).sequence, 2, 'under a later sequence, for who knows the first');
  t.equal(await again.keys.renew(), 'not-due');
});

t.test('the root may be offline for all but rotation', async (t) => {
  const clock = createManualClock();
  const { keys, home, directory, close } = await openKeys(t, clock);
  const before = keys.keyset();
  await rename(join(directory, 'root.pem'), join(home, 'offline.pem'));
  await close();
  const again = await openKeys(t, clock, home);
  t.strictSame(again.keys.keyset(), before);
  t.ok(again.keys.signer('access'));
  await t.rejects(again.keys.rotate(), { code: 'CONFLICT', message: /root key is offline/ });
  t.equal(await again.keys.renew(), 'not-due');
  clock.jumpWall(350 * dayMs);
  t.equal(await again.keys.renew(), 'root-offline');
  await rename(join(home, 'offline.pem'), join(directory, 'root.pem'));
  t.equal(await again.keys.renew(), 'renewed');
});

t.test(
  'documents: one more in sequence for a change, the same for the same, also after a restart',
  async (t) => {
    const clock = createManualClock();
    const first = await openKeys(t, clock);
    const map = (body: object) => ({ type: documentTypes.steeringMap, audience: 'steering', body });
    const issuer = createDocumentIssuer({ ...first, clock });
    const one = await issuer.issue(map({ a: 1 }));
    t.equal(one.sequence, 1);
    t.equal((await issuer.issue(map({ a: 1 }))).jws, one.jws);
    t.equal((await issuer.issue(map({ a: 2 }))).sequence, 2);
    t.equal(
      (await issuer.issue({ ...map({ a: 2 }), audience: 'isp-a-1' })).sequence,
      1,
      'a sequence per audience',
    );
    await first.close();
    const second = await openKeys(t, clock, first.home);
    const later = createDocumentIssuer({ ...second, clock });
    t.equal((await later.issue(map({ a: 2 }))).sequence, 2);
    t.equal((await later.issue(map({ a: 3 }))).sequence, 3);
    clock.jumpWall(37 * 3_600_000);
    t.equal((await later.issue(map({ a: 3 }))).sequence, 4, 'signed anew before it expires');
  },
);

t.test('a plane whose operator token was lost writes another', async (t) => {
  const first = await startPlane(t);
  await first.stop();
  await rm(join(first.dataDir, 'operator.token'));
  const second = await startPlane(t, { dataDir: first.dataDir });
  t.equal((await second.call('GET /v1/status')).status, 200);
  t.equal((await stat(join(first.dataDir, 'operator.token'))).mode & 0o777, 0o600);
});

t.test("the operator's token is renewed with the keys, long before its old key ends", async (t) => {
  const clock = createManualClock();
  const first = await startPlane(t, { clock });
  await first.stop();
  const { keys, close } = await openKeysOf(first.dataDir, clock);
  await keys.rotate();
  await close();
  clock.jumpWall(11 * 60_000);
  const second = await startPlane(t, { clock, dataDir: first.dataDir });
  t.not(second.operator, first.operator);
  t.equal((await second.call('GET /v1/status', { token: first.operator })).status, 200, 'the old goes on');
  await second.stop();
  const third = await startPlane(t, { clock, dataDir: first.dataDir });
  t.equal(third.operator, second.operator, 'and the new stays');
  clock.jumpWall(31 * dayMs);
  t.equal((await third.call('GET /v1/status')).status, 200);
  t.equal((await third.call('GET /v1/status', { token: first.operator })).status, 401);
});

async function openKeysOf(dataDir: string, clock: ManualClock) {
  const store = await openRecords(`sqlite://${dataDir}/records/access.db`);
  const records = openAccessRecords(store);
  const keys = await openKeyStore({ directory: join(dataDir, 'keys'), records, clock });
  return { keys, close: () => store.close() };
}
