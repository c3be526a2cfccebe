import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import acme from 'acme-client';
import t from 'tap';

import { certificateFiles } from '../../../appliance/acme/certificate-files.ts';
import { CertificateHolder } from '../../../appliance/acme/certificate-holder.ts';
import { createSeededChance } from '../../../common/runtime/chance.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { startAcmeServer } from '../../support/acme-server.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';

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
    const holder = new CertificateHolder({
      ...{ directory: authority.directory, contact: undefined, name: 'isp-a-1.steer.test', dir: folder },
      publish: async (values) => {
        if (!world.isSteered) throw coded('UNAVAILABLE', 'no steering node');
        published.push(values);
      },
      onChange: async () => {
        world.changes++;
      },
      ...{ clock, chance: createSeededChance(1), log: createSilentLog() },
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
    await until(() => clock.sleeping() === 1);
    t.same(holder.reasons(), ['TLS_CERTIFICATE_PENDING', 'UNAVAILABLE: no steering node']);
    t.notOk(
      authority.lines.some((line) => line.includes('Added order')),
      'the authority was not troubled',
    );
    world.isSteered = true;
    await clock.advance(3000);
    await until(() => world.changes === 1);
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
    for (let hours = 0; hours < 48 && world.changes < 2; hours++) await advance(clock, 60 * minuteMs);
    t.equal(world.changes, 2);
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
    await clock.advance(61 * minuteMs);
    await until(() => holder.reasons().some((reason) => reason.startsWith('ACME_ORDER_FAILED: ')));
    t.equal(await readFile(keyFile, 'utf8'), keyBefore, 'what is held stays');
    stop.abort();
    await done;
  },
);

/** Moves an hour at a time: each look ends in a sleep of its own. */
async function advance(clock: ReturnType<typeof createManualClock>, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 60 * minuteMs) {
    await clock.advance(Math.min(left, 60 * minuteMs));
    await until(() => clock.sleeping() === 1);
  }
}
