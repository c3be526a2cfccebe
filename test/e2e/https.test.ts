import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import t from 'tap';

import { playerUrl } from '../../cli/commands/play.ts';
import { createTitle, waitUntilLive } from '../../cli/commands/title.ts';
import { browserMissing, openBrowser } from '../support/browser.ts';
import { makeCertificate } from '../support/certificates.ts';
import { makeClip } from '../support/clip.ts';
import { startTestSystem } from '../support/system.ts';

const lengthS = 16;
const endTimeoutMs = 90_000;
const nativeShareMin = 0.99;

/** The sum of a metric over its labels, as Prometheus would read it. */
function sumOf(metrics: string, name: string): number {
  return metrics
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

async function metricsOf(host: string, port: number, ca: string): Promise<string> {
  const asked = request({ host, port, path: '/metrics', ca, agent: false });
  asked.end();
  return await new Promise((resolve, reject) => {
    asked.on('error', reject).on('response', (answer) => {
      text(answer).then(resolve, reject);
    });
  });
}

const options = { timeout: 240_000, skip: browserMissing };
t.test('Chromium plays over HTTPS, and the native engine answers nearly all of it', options, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-https-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const authority = await makeCertificate(directory, { file: 'ca', hosts: ['ca.test'], isAuthority: true });
  const hosts = ['127.0.0.1', '127.0.1.1', '127.0.1.2', '127.0.2.1'];
  const box = await makeCertificate(directory, { file: 'box', hosts, issuer: authority });
  await using running = await startTestSystem({
    portOffset: 12_000,
    env: {
      NODE_EXTRA_CA_CERTS: authority.certFile,
      NEARCAST_APPLIANCE_TLS_CERT_FILE: box.certFile,
      NEARCAST_APPLIANCE_TLS_KEY_FILE: box.keyFile,
    },
  });
  const { system, context, dataDir } = running;
  const film = await makeClip(join(dataDir, 'film.mp4'), { lengthS });
  const { id } = await createTitle(context, film, { name: 'Film', pin: true });
  const boxes = system.topology.nodes.filter(({ role, site }) => role === 'appliance' && site === 'isp-a');
  const all = system.topology.nodes.filter(({ role }) => role === 'appliance' || role === 'origin');
  await waitUntilLive(
    context,
    id,
    boxes.map(({ name }) => name),
  );
  const read = async () => {
    // Whoever answers the player: a busy machine may have it begin elsewhere.
    const texts = await Promise.all(all.map(({ host, port }) => metricsOf(host, port, authority.cert)));
    const sum = (name: string) => texts.reduce((all, metrics) => all + sumOf(metrics, name), 0);
    return {
      all: sum('nearcast_requests_total'),
      native: sum('nearcast_native_requests_total'),
      handshakes: sum('nearcast_tls_handshakes_total'),
    };
  };
  const before = await read();
  const browser = await openBrowser();
  t.teardown(() => browser.close());
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  const answered = { count: 0, preflights: 0 };
  page.on('response', (response) => {
    if (!response.url().startsWith('https://')) return;
    answered.count++;
    if (response.request().method() === 'OPTIONS') answered.preflights++;
  });
  const url = await playerUrl(system.api, id);
  await page.goto(url);
  await page
    .locator('main[data-ended="true"], main[data-fatal]')
    .waitFor({ state: 'attached', timeout: endTimeoutMs });
  t.equal(await page.locator('main').getAttribute('data-fatal'), null, 'no fatal error');
  // Workers tell what they have counted some seconds later.
  let after = await read();
  for (let tries = 0; tries < 30 && after.native - before.native < answered.count; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    after = await read();
  }
  const native = after.native - before.native;
  // The metrics themselves are handed over, and steering asks for the boxes' health.
  t.comment({ answered, before, after });
  t.ok(answered.count > 10, 'it plays from the boxes');
  t.ok(after.handshakes > before.handshakes, 'over TLS');
  t.ok(native >= nativeShareMin * answered.count, `${native} of the player's ${answered.count} natively`);
});
