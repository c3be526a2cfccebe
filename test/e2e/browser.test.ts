import { join } from 'node:path';

import type { Page } from 'playwright-core';
import t from 'tap';

import { playerUrl } from '../../cli/commands/play.ts';
import { createTitle, waitUntilLive } from '../../cli/commands/title.ts';
import { browserMissing, openBrowser } from '../support/browser.ts';
import { makeClip } from '../support/clip.ts';
import { startTestSystem } from '../support/system.ts';

const lengthS = 36;
const killAtS = 10;
const stallMsMax = 200;
const endTimeoutMs = 90_000;

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

const options = { timeout: 240_000, skip: browserMissing };
t.test('hls.js and Shaka play through the death of the serving box', options, async (t) => {
  const browser = await openBrowser();
  t.teardown(() => browser.close());
  await using running = await startTestSystem({ portOffset: 10_000 });
  const { system, context, dataDir } = running;
  const film = await makeClip(join(dataDir, 'film.mp4'), { lengthS });
  const { id } = await createTitle(context, film, { name: 'Film', pin: true });
  const boxes = system.topology.nodes.filter((node) => node.role === 'appliance').map((node) => node.name);
  await waitUntilLive(context, id, boxes);
  const url = await playerUrl(system.api, id);
  const play = async (engine: string) => {
    const page = await browser.newPage();
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
  t.equal(serving[0], serving[1], 'both play from the box that steering ranks first');
  t.match(serving[0] ?? '', /^isp-a-[12]$/);
  await system.processes.get(serving[0] ?? '')?.kill();
  for (const [engine, page] of Object.entries(pages)) {
    const state = await untilPlayer(page, ({ ended }) => ended);
    t.comment(engine, JSON.stringify(state, undefined, 2));
    t.equal(state.fatal, null, `${engine}: no fatal error`);
    t.ok(state.ended, `${engine}: played to the end`);
    t.ok(state.stallMs <= stallMsMax, `${engine}: stalled ${state.stallMs} ms`);
    t.not(state.servedBy, serving[0], `${engine}: the rest came from another box`);
    t.ok(
      state.log.some((line) => line.includes('steering says')),
      `${engine}: steering events are shown`,
    );
    t.ok(Math.abs(state.durationS - lengthS) < 0.5, `${engine}: its length is ${state.durationS} s`);
  }
});
