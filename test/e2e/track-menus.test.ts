import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Page } from 'playwright-core';
import t from 'tap';

import { playerUrl } from '../../cli/commands/play.ts';
import { createTitle, waitUntilLive } from '../../cli/commands/title.ts';
import { AccountView } from '../../common/contract/accounts.ts';
import { ProfileView } from '../../common/contract/profiles.ts';
import { browserMissing, openBrowser } from '../support/browser.ts';
import { makeClip, picture, quick, tone } from '../encoder/support/clips.ts';
import { startTestSystem } from '../support/system.ts';

const timeoutMs = 60_000;

/** The texts on the picture, by the tracks that are shown. */
async function readCues(page: Page): Promise<string> {
  return page.locator('video').evaluate((element: unknown) => {
    const { textTracks } = element as {
      textTracks: ArrayLike<{ mode: string; cues: ArrayLike<{ text: string }> | null }>;
    };
    const shown = Array.from(textTracks).filter(({ mode }) => mode === 'showing');
    return shown.flatMap(({ cues }) => Array.from(cues ?? [], ({ text }) => text)).join('|');
  });
}

async function untilCues(page: Page, wanted: string): Promise<string> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const cues = await readCues(page);
    if (cues === wanted || performance.now() > deadlineMs) return cues;
    await page.waitForTimeout(100);
  }
}

t.test(
  'sound and captions are chosen in menus of the player, and the profile keeps the choice',
  { timeout: 300_000, skip: browserMissing },
  async (t) => {
    const browser = await openBrowser();
    t.teardown(() => browser.close());
    await using running = await startTestSystem({ portOffset: 18_000 });
    const { system, context, dataDir } = running;
    const film = join(dataDir, 'film.mkv');
    const cue = (text: string): string => `1\n00:00:00,500 --> 00:00:19,000\n${text}\n`;
    await writeFile(join(dataDir, 'film.de.srt'), Buffer.from(cue('Grüße'), 'latin1'));
    await writeFile(join(dataDir, 'film.en.forced.srt'), cue('EXIT'));
    await makeClip(film, [
      ...[...picture({ seconds: 20 }), ...tone(20), '-map', '0', '-map', '1', '-map', '1', ...quick],
      ...['-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=fre'],
    ]);
    const { id } = await createTitle(context, film, { name: 'Film', pin: true });
    await waitUntilLive(context, id, ['isp-a-1', 'isp-a-2', 'isp-b-1']);
    const { api } = system;
    const account = {
      email: 'ada@example.com',
      name: 'Ada',
      role: 'viewer',
      password: 'correct horse battery',
    };
    const { id: accountId } = await api.call({
      ...{ method: 'POST', path: '/v1/accounts', body: account, reply: AccountView },
    });
    const profile = await api.call({
      ...{ method: 'POST', path: '/v1/profiles', reply: ProfileView },
      body: { account: accountId, name: 'Ada', language: 'de' },
    });
    const kept = () => api.call({ path: `/v1/profiles/${profile.id}`, reply: ProfileView });
    const [address = '', token = ''] = (await playerUrl(api, id, profile.id)).split('#');
    for (const engine of ['hls', 'dash']) {
      await api.call({
        ...{ method: 'PATCH', path: `/v1/profiles/${profile.id}`, reply: ProfileView },
        body: { captions: null, audioLanguage: null },
      });
      const page = await browser.newPage({ ignoreHTTPSErrors: true });
      await page.goto(`${address}&engine=${engine}#${token}`);
      const captions = page.getByLabel('Captions', { exact: true });
      const sound = page.getByLabel('Sound', { exact: true });
      await captions.waitFor({ timeout: timeoutMs });
      t.strictSame(await captions.locator('option').allTextContents(), [
        'Off',
        'Deutsch',
        'English (forced)',
      ]);
      t.strictSame(await sound.locator('option').allTextContents(), ['English', 'français']);
      t.equal(await untilCues(page, 'Grüße'), 'Grüße', `${engine}: on, since it does not sound in German`);
      // By the keyboard alone.
      await captions.focus();
      await page.keyboard.press('Home');
      t.equal(await untilCues(page, ''), '', `${engine}: off`);
      await captions.selectOption({ label: 'English (forced)' });
      t.equal(await untilCues(page, 'EXIT'), 'EXIT', `${engine}: forced`);
      await captions.selectOption({ label: 'Deutsch' });
      t.equal(await untilCues(page, 'Grüße'), 'Grüße', `${engine}: chosen`);
      await sound.selectOption({ label: 'français' });
      const deadlineMs = performance.now() + timeoutMs;
      while ((await kept()).audioLanguage !== 'fr' && performance.now() < deadlineMs)
        await page.waitForTimeout(100);
      t.match(await kept(), { audioLanguage: 'fr', captions: { language: 'de', kind: 'subtitles' } });
      t.equal(await page.locator('main').getAttribute('data-fatal'), null);
      await page.reload();
      await sound.waitFor({ timeout: timeoutMs });
      t.equal(await sound.locator('option:checked').textContent(), 'français', `${engine}: kept`);
      t.equal(await untilCues(page, 'Grüße'), 'Grüße');
      await page.route('**/v1/profiles/**', (route) => route.abort());
      await sound.selectOption({ label: 'English' });
      const told = page.getByText('This choice holds for this playback alone.');
      t.match(await told.textContent({ timeout: timeoutMs }), 'cannot be reached', `${engine}: not kept`);
      await page.close();
    }
  },
);
