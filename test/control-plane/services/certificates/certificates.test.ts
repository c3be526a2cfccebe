import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { join } from 'node:path';
import acme from 'acme-client';
import t from 'tap';

import { certificateFiles } from '../../../../appliance/tls/certificate-files.ts';
import { CertificateHolder } from '../../../../appliance/tls/certificate-holder.ts';
import { requestOf } from '../../../../appliance/tls/certificate-request.ts';
import { createSeededChance } from '../../../../common/runtime/chance.ts';
import { coded, isCoded } from '../../../../common/runtime/errors.ts';
import { generateKey, saveKey } from '../../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { createManualClock, type ManualClock } from '../../../../common/runtime/manual-clock.ts';
import { createCertificates } from '../../../../control-plane/services/certificates/service.ts';
import { startAcmeServer } from '../../../support/acme-server.ts';
import { until } from '../../../support/appliance/raw-http.ts';
import { temporaryDirectory } from '../../../support/appliance/serving-box.ts';

const lifeS = 90 * 86_400;
const dayMs = 86_400_000;
const minuteMs = 60_000;

t.setTimeout(120_000);

t.test(
  'renewed when a third of its life is left; what fails is told and tried again, later and later',
  async (t) => {
    const folder = await temporaryDirectory(t);
    const authority = await startAcmeServer(t, { folder, lifeS });
    if (typeof authority === 'string') {
      t.pass('renewed', { skip: authority });
      return;
    }
    acme.axios.defaults.httpsAgent = new Agent({ ca: authority.ca });
    Object.assign(acme.axios.defaults, { acmeSettings: { retryMaxAttempts: 1, retryDefaultDelay: 1 } });
    const clock = createManualClock({ nowMs: Date.now() });
    const published: (readonly string[])[] = [];
    const world = { isSteered: false, changes: 0 };
    const certificates = createCertificates({
      authority: { directory: authority.directory, zone: 'steer.test', contact: undefined },
      accountKeyFile: join(folder, 'account.pem'),
      publish: async (_node, values) => {
        if (!world.isSteered) throw coded('UNAVAILABLE', 'no steering node');
        published.push(values);
      },
      ...{ clock, chance: createSeededChance(1), log: createSilentLog() },
    });
    const holder = new CertificateHolder({
      dir: folder,
      link: {
        certificateName: async () => certificates.nameOf('isp-a-1'),
        certificate: (csr) => certificates.certify('isp-a-1', csr),
      },
      onChange: async () => {
        world.changes++;
      },
      ...{ clock, log: createSilentLog() },
    });
    const { certFile, keyFile } = certificateFiles(folder);
    const held = async (): Promise<X509Certificate> => new X509Certificate(await readFile(certFile));
    await writeFile(certFile, 'half of a certif');
    await holder.prepare();
    t.equal(
      (await held()).checkHost('isp-a-1.steer.test'),
      'isp-a-1.steer.test',
      'its own in place of what is broken',
    );
    t.same(holder.reasons(), ['TLS_CERTIFICATE_PENDING']);

    const stop = new AbortController();
    const done = holder.run(stop.signal);
    await untilSo(clock, () => holder.reasons().includes('UNAVAILABLE: no steering node'));
    t.notOk(
      authority.lines.some((line) => line.includes('Added order')),
      'the authority was not troubled',
    );
    world.isSteered = true;
    await untilSo(clock, () => world.changes === 1);
    t.same(holder.reasons(), []);
    t.same(
      published.map((values) => values.map(({ length }) => length)),
      [[], [43], []],
    );
    const first = await held();
    t.not(first.issuer, first.subject);

    await until(() => clock.sleeping() === 1);
    await advance(clock, 59 * dayMs);
    t.equal((await held()).serialNumber, first.serialNumber, 'two thirds are not over');
    await advance(clock, 30 * 60 * minuteMs);
    await untilSo(clock, () => world.changes === 2);
    const second = await held();
    t.not(second.serialNumber, first.serialNumber);
    t.not(
      second.publicKey.export({ format: 'jwk' }).x,
      first.publicKey.export({ format: 'jwk' }).x,
      'a new key',
    );

    // By this clock the new one is as old as the first: as on a machine whose clock is months ahead.
    await advance(clock, 11 * 60 * minuteMs);
    t.equal(world.changes, 2, 'the authority is not asked again and again');
    await authority.stop();
    const keyBefore = await readFile(keyFile, 'utf8');
    await advance(clock, 61 * minuteMs);
    await untilSo(clock, () => holder.reasons().some((reason) => reason.startsWith('ACME_ORDER_FAILED: ')));
    t.equal(await readFile(keyFile, 'utf8'), keyBefore, 'what is held stays');
    stop.abort();
    await done;
  },
);

/** Lets seconds pass until it is so. */
async function untilSo(clock: ManualClock, isSo: () => boolean): Promise<void> {
  await until(async () => {
    await clock.advance(1000);
    return isSo();
  }, 60_000);
}

t.test('a request is for the name of its node alone, and few are taken in a day', async (t) => {
  const folder = await temporaryDirectory(t);
  const keyFile = join(folder, 'key.pem');
  await saveKey(keyFile, generateKey());
  const clock = createManualClock();
  const options = {
    accountKeyFile: join(folder, 'account.pem'),
    publish: () => Promise.reject(coded('UNAVAILABLE', 'no steering node')),
    ...{ clock, chance: createSeededChance(1), log: createSilentLog() },
  };
  const authority = { directory: 'https://127.0.0.1:1/dir', zone: 'steer.test', contact: undefined };
  const certificates = createCertificates({ ...options, authority });
  const requestFor = (name: string): Promise<string> => requestOf(keyFile, name);
  for (const name of ['other.steer.test', '*.steer.test', 'a.steer.test,DNS:b.steer.test', 'steer.test'])
    await t.rejects(certificates.certify('a', await requestFor(name)), { code: 'INVALID' }, name);
  const broken = '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n';
  await t.rejects(certificates.certify('a', broken), { code: 'INVALID', detail: /no certificate request/ });
  const first = await requestFor('a.steer.test');
  t.same(await certificates.certify('a', first), { retryMs: 1000 });
  for (let count = 1; count < 5; count++) await certificates.certify('a', await requestFor('a.steer.test'));
  await t.rejects(certificates.certify('a', first), { code: 'RATE_LIMITED' }, 'the sixth');
  t.match(await certificates.certify('b', await requestFor('b.steer.test')), { retryMs: 1000 });
  await clock.advance(dayMs);
  t.same(await certificates.certify('a', first), { retryMs: 1000 });
  await until(() =>
    certificates.certify('a', first).then(
      () => false,
      (error: unknown) => isCoded(error, 'UNAVAILABLE'),
    ),
  );
  const off = createCertificates({ ...options, authority: undefined });
  t.throws(() => off.nameOf('a'), { code: 'CERTIFICATES_OFF' });
  await t.rejects(off.certify('a', first), { code: 'CERTIFICATES_OFF' });
});

/** Moves an hour at a time: each look ends in a sleep of its own. */
async function advance(clock: ManualClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 60 * minuteMs) {
    await clock.advance(Math.min(left, 60 * minuteMs));
    await until(() => clock.sleeping() === 1);
  }
}
