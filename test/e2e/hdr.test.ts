import { join } from 'node:path';

import type { Browser, Page } from 'playwright-core';
import t from 'tap';

import { playerUrl } from '../../cli/commands/play.ts';
import { createTitle, waitUntilLive } from '../../cli/commands/title.ts';
import { PlaybackSession } from '../../common/contract/playback.ts';
import { childrenOf, findAll, readXml } from '../control-plane/support/read-xml.ts';
import { makeClip, tone } from '../encoder/support/clips.ts';
import { browserMissing, openBrowser } from '../support/browser.ts';
import { startTestSystem } from '../support/system.ts';

const lengthS = 6;
const endTimeoutMs = 90_000;

interface Played {
  ended: boolean;
  fatal: string | null;
  /** Pictures that were decoded and shown. */
  frames: number;
  /** Media files that were asked for, by name. */
  files: Set<string>;
  renditions: readonly string[];
}

/** Plays a title to its end in the player page. */
async function playThrough(browser: Browser, url: string): Promise<Played> {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  const files = new Set<string>();
  page.on('request', (request) => {
    const [, file] = /\/([0-9a-f]{64})\.mp4$/.exec(new URL(request.url()).pathname) ?? [];
    if (file !== undefined) files.add(file);
  });
  const answered = page.waitForResponse((response) => response.url().endsWith('/v1/playback-sessions'));
  await page.goto(url);
  const { renditions = [] } = (await (await answered).json()) as PlaybackSession;
  const state = await untilOver(page);
  const frames = await page.locator('video').evaluate((video: unknown) => {
    const element = video as { getVideoPlaybackQuality(): { totalVideoFrames: number } };
    return element.getVideoPlaybackQuality().totalVideoFrames;
  });
  await page.close();
  return { ...state, frames, files, renditions };
}

async function untilOver(page: Page): Promise<{ ended: boolean; fatal: string | null }> {
  const main = page.locator('main');
  const deadlineMs = performance.now() + endTimeoutMs;
  for (;;) {
    const ended = (await main.getAttribute('data-ended')) === 'true';
    const fatal = await main.getAttribute('data-fatal');
    if (ended || fatal !== null || performance.now() > deadlineMs) return { ended, fatal };
    await page.waitForTimeout(200);
  }
}

t.test(
  'an HDR film is played in HDR where the screen shows it, by hls.js and by Shaka, and in SDR elsewhere',
  { timeout: 300_000, skip: browserMissing },
  async (t) => {
    await using running = await startTestSystem({ portOffset: 15_000 });
    const { system, context, dataDir } = running;
    const film = await makeClip(join(dataDir, 'film.mkv'), [
      ...['-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=24:duration=${lengthS}`, ...tone(lengthS)],
      ...['-vf', 'format=yuv420p10le', '-c:v', 'libx265', '-preset', 'ultrafast', '-c:a', 'aac'],
      ...['-x265-params', 'log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc'],
    ]);
    const { id: titleId } = await createTitle(context, film, { name: 'Film', pin: true });
    await waitUntilLive(context, titleId, ['isp-a-1', 'isp-a-2', 'isp-b-1']);
    const session = await system.api.call({
      ...{ method: 'POST', path: '/v1/playback-sessions', reply: PlaybackSession },
      body: { titleId, clientAddress: '127.0.0.1', capabilities: { hdr: ['pq', 'hlg'] } },
    });
    const sdr = ['360p', '240p'];
    t.strictSame(session.renditions, [...sdr, '360p-pq', '240p-pq']);
    const mpd = readXml(await (await fetch(session.dashUrl)).text());
    const names = new Map(
      findAll(mpd, 'Representation').map((one) => [
        childrenOf(one, 'BaseURL')[0]?.text.replace('.mp4', ''),
        one.attributes['id'] ?? '',
      ]),
    );
    const [address = '', token = ''] = (await playerUrl(system.api, titleId)).split('#');
    for (const screen of ['hdr', 'sdr'] as const) {
      const browser = await openBrowser({ screen });
      try {
        for (const engine of ['hls', 'dash']) {
          const played = await playThrough(browser, `${address}&engine=${engine}#${token}`);
          const shown = [...played.files].map((file) => names.get(file) ?? file);
          const which = `${engine} on a screen of ${screen}`;
          t.comment(which, JSON.stringify({ ...played, files: shown }));
          t.equal(played.fatal, null, `${which}: no fatal error`);
          t.ok(played.ended, `${which}: played to the end`);
          t.ok(played.frames > lengthS * 12, `${which}: ${played.frames} pictures were shown`);
          t.strictSame(played.renditions, screen === 'hdr' ? session.renditions : sdr);
          t.ok(shown.length > 0 && shown.every((id) => id.endsWith('-pq') === (screen === 'hdr')), which);
        }
      } finally {
        await browser.close();
      }
    }
  },
);
