import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';

import type { Api } from '../../cli/api.ts';
import type { CommandContext } from '../../cli/context.ts';
import { uploadFile } from '../../cli/upload.ts';
import { ArtworkView } from '../../common/contract/artwork.ts';
import { until } from '../control-plane/support/until.ts';
import { makePicture } from '../encoder/support/pictures.ts';
import { consoleUrl, playerUrl } from '../../cli/commands/play.ts';
import { createTitle, waitUntilLive } from '../../cli/commands/title.ts';
import { PlanView, SubscriptionView } from '../../common/contract/billing.ts';
import { TitleView } from '../../common/contract/titles.ts';
import { browserMissing, openBrowser } from '../support/browser.ts';
import { startTestSystem } from '../support/system.ts';

const name = `A clip with a long name ${'that goes on '.repeat(12)}<b>&amp;</b>`;
const clip = [
  ...['-nostdin', '-loglevel', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=24:duration=4'],
  ...['-f', 'lavfi', '-i', 'sine=duration=4', '-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac'],
];

/** Whatever a page logs as an error or throws; refused and failed calls are meant to happen here. */
function watchErrors(page: Page): string[] {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      errors.push(message.text());
  });
  return errors;
}

async function subscribeSomebody(api: Api): Promise<void> {
  const price = { currency: 'EUR', amount: 999, interval: { unit: 'month', count: 1 }, taxInclusive: true };
  const entitlements = { heightMax: 1080, streamsMax: 2, downloads: false };
  const plan = { name: 'Basic', trialDays: 0, archived: false, entitlements, prices: [price] };
  await api.call({ method: 'PUT', path: '/v1/plans/basic', body: plan, reply: PlanView });
  const body = { account: 'usr_anna-0001', plan: 'basic', currency: 'EUR', country: 'DE', timeZone: 'UTC' };
  const path = '/v1/subscriptions';
  await api.call({ method: 'POST', path, body, reply: SubscriptionView, idempotencyKey: 'one' });
}

async function isWiderThanWindow(page: Page): Promise<boolean> {
  return await page.evaluate('document.documentElement.scrollWidth > window.innerWidth');
}

async function showsAlert(t: Test, page: Page, words: RegExp): Promise<void> {
  await page.getByRole('alert').filter({ hasText: words }).waitFor();
  t.pass(`the page says ${String(words)}`);
}

/** A title's picture comes by itself, from a box, in the best format; pages that poll fetch it once. */
async function showsPicture(
  t: Test,
  page: Page,
  { context, titleId, file }: { context: CommandContext; titleId: string; file: string },
): Promise<void> {
  const fetched: string[] = [];
  let lists = 0;
  page.on('request', (request) => {
    if (request.resourceType() === 'image') fetched.push(request.url());
    if (request.url().includes('/v1/titles')) lists++;
  });
  await writeFile(file, await makePicture('jpg', { size: '200x300' }));
  const path = `/v1/titles/${titleId}/artwork`;
  const body = { kind: 'poster', uploadId: await uploadFile(context, file) };
  await context.api.call({ method: 'POST', path, body, reply: ArtworkView });
  const picture = page.getByRole('img', { name: /^poster of A clip/ });
  // Pictures are fetched when they come into sight.
  await picture.scrollIntoViewIfNeeded();
  await until(
    () => page.evaluate('document.querySelector("table picture img").naturalWidth'),
    (width) => Number(width) > 0,
  );
  const before = lists;
  await until(
    () => lists,
    (now) => now >= before + 3,
  );
  // The first box to hold it takes it over from the origin.
  t.ok(new Set(fetched).size <= 2 && fetched.length === new Set(fetched).size, fetched.join(' '));
  t.match(fetched[0], /\/v1\/[^/]+\/[0-9a-f]{64}\.avif$/);
}

/** A long list is shown a page at a time. */
async function turnsPages(t: Test, page: Page, api: Api): Promise<void> {
  const pages = page.getByRole('navigation', { name: 'Pages' });
  t.equal(await pages.count(), 0, 'one page has nothing to turn');
  for (let count = 1; count <= 60; count++) {
    const body = { name: `Series ${String(count)}`, details: { kind: 'series' } };
    await api.call({ method: 'POST', path: '/v1/titles', body, reply: TitleView });
  }
  const titles = page.getByRole('table', { name: 'Titles' });
  await pages.getByText('1 to 50').waitFor();
  t.equal(await titles.getByRole('rowheader').count(), 50);
  await pages.getByRole('button', { name: 'Later' }).click();
  await pages.getByText('51 to 61').waitFor();
  await titles.getByRole('rowheader', { name: 'Series 60', exact: true }).waitFor();
  t.ok(await pages.getByRole('button', { name: 'Later' }).isDisabled());
  await pages.getByRole('button', { name: 'Earlier' }).click();
  await titles.getByRole('rowheader', { name: 'Series 49', exact: true }).waitFor();
  t.equal(await titles.getByRole('rowheader').count(), 50);
}

const options = { timeout: 120_000, skip: browserMissing };
t.test('the pages against the real system, and when it is gone', options, async (t) => {
  const browser = await openBrowser();
  t.teardown(() => browser.close());
  await using running = await startTestSystem({ portOffset: 16_000 });
  const { system, context, dataDir } = running;
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const errors = watchErrors(page);

  await page.goto(new URL('/console/', context.api.server).href);
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await page.goto(await consoleUrl(context.api));
  await page.getByText('No titles yet').waitFor();
  t.equal(await page.evaluate('location.hash'), '', 'the token does not stay in the address');

  const film = join(dataDir, 'film.mp4');
  await promisify(execFile)('ffmpeg', [...clip, film]);
  const { id } = await createTitle(context, film, { name, pin: true });
  const boxes = system.topology.nodes.filter(({ role }) => role === 'appliance').map((node) => node.name);
  await waitUntilLive(context, id, boxes);

  const titles = page.getByRole('table', { name: 'Titles' });
  await titles.getByRole('cell', { name: /^live/ }).waitFor();
  t.equal(await titles.getByRole('rowheader').textContent(), name, 'names are text, not markup');
  await showsPicture(t, page, { context, titleId: id, file: join(dataDir, 'poster.jpg') });
  const fill = page.getByRole('table', { name: 'Fill by appliance' });
  for (const box of boxes) await fill.getByRole('row', { name: new RegExp(`^${box}.*nothing$`) }).waitFor();
  t.pass('every box has its row and misses nothing');
  const canvas = await page.locator('.plot canvas').boundingBox();
  t.ok((canvas?.width ?? 0) > 800, 'the plot has the width of its panel');
  t.equal(await page.locator('.plot figcaption b').count(), 3, 'a legend with three sources');

  await page.getByText('Revenue and churn').click();
  await page.getByText('Nobody has subscribed in these months.').waitFor();
  await subscribeSomebody(context.api);
  // Closed and opened, it is counted anew.
  for (let twice = 0; twice < 2; twice++) await page.getByText('Revenue and churn').click();
  const revenue = page.getByRole('table', { name: 'Revenue by month' });
  await revenue.getByRole('row', { name: /9\.99 EUR.* 1 0 –$/ }).waitFor();
  t.equal(await page.getByRole('img', { name: /by month/ }).count(), 2, 'two plots');

  await turnsPages(t, page, context.api);
  for (const width of [1440, 800, 400]) {
    await page.setViewportSize({ width, height: 1000 });
    t.notOk(await isWiderThanWindow(page), `nothing sticks out at ${width} px`);
  }

  const link = await playerUrl(context.api, id);
  const viewer = await browser.newPage();
  const viewerErrors = watchErrors(viewer);
  await viewer.goto(link.replace(id, 'title_00000000'));
  await showsAlert(t, viewer, /No title has this id/);

  await system.processes.get('control-plane')?.kill();
  await showsAlert(t, page, /cannot be reached.*as of \d\d:\d\d:\d\d/);
  t.ok(await titles.isVisible(), 'what was known stays');
  await system.start('control-plane');
  await page.getByRole('alert').waitFor({ state: 'detached' });
  t.pass('and is fresh again when the control plane is back');
  t.same([...errors, ...viewerErrors], [], 'no page logs an error');
});
