import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import type { Page } from 'playwright-core';
import t from 'tap';

import { playerUrl } from '../../cli/commands/play.ts';
import { createTitle, waitUntilLive } from '../../cli/commands/title.ts';
import { browserMissing, openBrowser } from '../support/browser.ts';
import { makeCertificate } from '../support/certificates.ts';
import { makeClip } from '../support/clip.ts';
import { startTestSystem, type TestSystem } from '../support/system.ts';
import { untilSteered } from '../support/until-steered.ts';

const lengthS = 28;
const killAtS = 10;
const stallMsMax = 200;
const endTimeoutMs = 90_000;
const nativeShareMin = 0.99;
/** Workers tell what they have counted some seconds later. */
const countedTimeoutMs = 30_000;

/** The player page's own facts. */
async function readPlayer(page: Page) {
  const main = page.locator('main');
  const clock = await page.locator('video').evaluate((video: unknown) => {
    const { currentTime, duration } = video as { currentTime: number; duration: number };
    return { positionS: currentTime, durationS: duration };
  });
  return {
    ...clock,
    ended: (await main.getAttribute('data-ended')) === 'true',
    fatal: await main.getAttribute('data-fatal'),
    stallMs: Number(await main.getAttribute('data-stall-ms')),
    servedBy: (await page.locator('[data-fact="served by"]').allTextContents()).join(),
    log: (await page.locator('.log li').allTextContents()).toReversed(),
  };
}

async function untilPlayer(page: Page, holds: (state: Awaited<ReturnType<typeof readPlayer>>) => boolean) {
  const deadlineMs = performance.now() + endTimeoutMs;
  for (;;) {
    const state = await readPlayer(page);
    if (holds(state) || state.fatal !== null || performance.now() > deadlineMs) return state;
    await page.waitForTimeout(100);
  }
}

/** Every plane, the boxes with a certificate of an authority that is on no list but the system's own. */
async function startHttpsSystem(directory: string) {
  const authority = await makeCertificate(directory, { file: 'ca', hosts: ['ca.test'], isAuthority: true });
  const hosts = ['127.0.0.1', '127.0.1.1', '127.0.1.2', '127.0.2.1'];
  const box = await makeCertificate(directory, { file: 'box', hosts, issuer: authority });
  const env = {
    NODE_EXTRA_CA_CERTS: authority.certFile,
    NEARCAST_APPLIANCE_TLS_CERT_FILE: box.certFile,
    NEARCAST_APPLIANCE_TLS_KEY_FILE: box.keyFile,
  };
  return { running: await startTestSystem({ portOffset: 10_000, env }), ca: authority.cert };
}

/** A metric of every box and of the origin, summed over its labels as Prometheus would read it. */
async function sumOverBoxes({ system }: TestSystem, { ca, name }: { ca: string; name: string }) {
  const serving = system.topology.nodes.filter(({ role }) => role === 'appliance' || role === 'origin');
  const sums = serving.map(async ({ host, port }) => {
    const asked = request({ host, port, path: '/metrics', ca, agent: false });
    asked.end();
    const metrics = await new Promise<string>((resolve, reject) => {
      asked.on('error', reject).on('response', (answer) => {
        text(answer).then(resolve, reject);
      });
    });
    const lines = metrics
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  });
  return (await Promise.all(sums)).reduce((all, sum) => all + sum, 0);
}

const options = { timeout: 240_000, skip: browserMissing };
t.test(
  'hls.js and Shaka play over HTTPS, from the native engine, through the death of the serving box',
  options,
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'nearcast-https-'));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    const browser = await openBrowser();
    t.teardown(() => browser.close());
    const started = await startHttpsSystem(directory);
    await using running = started.running;
    const count = (name: string) => sumOverBoxes(running, { ca: started.ca, name });
    const { system, context, dataDir } = running;
    const film = await makeClip(join(dataDir, 'film.mp4'), { lengthS });
    const { id } = await createTitle(context, film, { name: 'Film', pin: true });
    const boxes = system.topology.nodes.filter((node) => node.role === 'appliance').map((node) => node.name);
    await waitUntilLive(context, id, boxes);
    await untilSteered(context, id);
    const before = await count('nearcast_native_requests_total');
    const handshakesBefore = await count('nearcast_tls_handshakes_total');
    const url = await playerUrl(system.api, id);
    const viewer = await browser.newContext({ ignoreHTTPSErrors: true });
    // Of bodies: what a browser asks beforehand, and steering's playlists, are JavaScript's to answer.
    let answered = 0;
    viewer.on('response', (response) => {
      if (response.url().startsWith('https://') && response.request().method() === 'GET') answered++;
    });
    const play = async (engine: string) => {
      const page = await viewer.newPage();
      const [address, token] = url.split('#');
      await page.goto(`${address ?? ''}&engine=${engine}#${token ?? ''}`);
      return page;
    };
    const pages = { hls: await play('hls'), dash: await play('dash') };
    const serving = await Promise.all(
      Object.values(pages).map(
        async (page) => (await untilPlayer(page, (state) => state.positionS > killAtS)).servedBy,
      ),
    );
    // A busy machine may have one of them begin elsewhere than steering says.
    for (const box of serving) t.match(box, /^isp-[ab]-[12]$/);
    const [victim = ''] = serving;
    const wanted = nativeShareMin * answered;
    let native = 0;
    for (const endMs = performance.now() + countedTimeoutMs; performance.now() < endMs && native < wanted;) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      native = (await count('nearcast_native_requests_total')) - before;
    }
    t.ok(answered > 10, 'they play from the boxes');
    t.ok((await count('nearcast_tls_handshakes_total')) > handshakesBefore, 'over TLS');
    t.ok(native >= wanted, `${native} of the players' ${answered} requests natively`);
    await system.processes.get(victim)?.kill();
    for (const [engine, page] of Object.entries(pages)) {
      const state = await untilPlayer(page, ({ ended }) => ended);
      t.comment(engine, JSON.stringify(state, undefined, 2));
      t.equal(state.fatal, null, `${engine}: no fatal error`);
      t.ok(state.ended, `${engine}: played to the end`);
      t.ok(state.stallMs <= stallMsMax, `${engine}: stalled ${state.stallMs} ms`);
      t.not(state.servedBy, victim, `${engine}: the rest came from another box`);
      t.ok(
        state.log.some((line) => line.includes('steering says')),
        `${engine}: steering events are shown`,
      );
      t.ok(Math.abs(state.durationS - lengthS) < 0.5, `${engine}: its length is ${state.durationS} s`);
    }
  },
);
