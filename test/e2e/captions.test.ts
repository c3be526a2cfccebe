import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t from 'tap';

import { playerUrl } from '../../cli/commands/play.ts';
import { createTitle, waitUntilLive } from '../../cli/commands/title.ts';
import { browserMissing, openBrowser } from '../support/browser.ts';
import { makeClip, picture, quick, tone } from '../encoder/support/clips.ts';
import { startTestSystem } from '../support/system.ts';

const cueTimeoutMs = 60_000;

/** What is used of a text track in the page. */
interface PageTrack {
  kind: string;
  language: string;
  mode: string;
  cues: ArrayLike<{ text: string; startTime: number }> | null;
}

t.test(
  'captions of a film are read in the player page, by hls.js and by Shaka',
  { timeout: 240_000, skip: browserMissing },
  async (t) => {
    const browser = await openBrowser();
    t.teardown(() => browser.close());
    await using running = await startTestSystem({ portOffset: 12_000 });
    const { system, context, dataDir } = running;
    const srt = join(dataDir, 'de.srt');
    await writeFile(srt, '1\n00:00:01,000 --> 00:00:15,000\nGrüße aus dem <i>Wald</i>\n\n');
    const film = await makeClip(join(dataDir, 'film.mkv'), [
      ...[
        ...picture({ seconds: 20 }),
        ...tone(20),
        '-i',
        srt,
        '-map',
        '0',
        '-map',
        '1',
        '-map',
        '2',
        ...quick,
      ],
      ...['-c:s', 'srt', '-metadata:s:s:0', 'language=ger', '-disposition:s:0', '0'],
    ]);
    const { id } = await createTitle(context, film, { name: 'Film', pin: true });
    await waitUntilLive(context, id, ['isp-a-1', 'isp-a-2', 'isp-b-1']);
    const [address = '', token = ''] = (await playerUrl(system.api, id)).split('#');
    for (const engine of ['hls', 'dash']) {
      const page = await browser.newPage({ ignoreHTTPSErrors: true });
      await page.goto(`${address}&engine=${engine}#${token}`);
      const video = page.locator('video');
      const read = () =>
        video.evaluate((element: unknown) => {
          // As the menu of the browser's own controls does.
          const { textTracks } = element as { textTracks: ArrayLike<PageTrack> };
          return Array.from(textTracks)
            .filter(({ kind }) => kind === 'subtitles')
            .map((track) => {
              const before = track.mode;
              track.mode = 'showing';
              const cues = Array.from(track.cues ?? [], ({ text, startTime }) => ({ text, startTime }));
              return { language: track.language, before, cues };
            });
        });
      const deadlineMs = performance.now() + cueTimeoutMs;
      let tracks = await read();
      const [first] = tracks;
      while (tracks.every(({ cues }) => cues.length === 0) && performance.now() < deadlineMs) {
        await page.waitForTimeout(200);
        tracks = await read();
      }
      t.comment(engine, JSON.stringify(tracks));
      t.not(first?.before, 'showing', `${engine}: none is shown until it is chosen`);
      const cue = tracks.find(({ language }) => language === 'de')?.cues[0];
      t.equal(cue?.text, 'Grüße aus dem <i>Wald</i>', `${engine}: the text is there`);
      // The clip's own muxer moves everything by the sound's priming, 23 ms.
      t.ok(
        Math.abs((cue?.startTime ?? 0) - 1) < 0.1,
        `${engine}: at its time, ${cue?.startTime ?? 'never'} s`,
      );
      await page.close();
    }
  },
);
