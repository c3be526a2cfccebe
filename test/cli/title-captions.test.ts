import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import { EncodeJob } from '../../common/contract/titles.ts';
import { enrolNode, startPlane } from '../control-plane/support/control-plane.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';

const srt = '1\n00:00:01,000 --> 00:00:02,000\nHello\n';

t.test('captions are taken along with a video, beside it or named', async (t) => {
  const root = t.testdir({
    one: { 'film.mkv': 'a film', 'film.en.srt': srt, 'film.en.forced.srt': srt, 'other.de.srt': srt },
    two: { 'film.mkv': 'another film', 'film.en.srt': srt },
    three: { 'film.mkv': 'a third film', 'film.en.srt': 'nothing that is read' },
    list: { 'film.mkv': 'a listed film', 'text.srt': srt, 'broken.srt': '\u0000' },
  });
  const plane = await startPlane(t, { flags: ['--ingest-roots', root] });
  const nearcast = nearcastCli(plane);
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const captionsOfNext = async (): Promise<string[]> => {
    const leased = await encoder.call('POST /v1/encode-jobs/lease', { body: { waitMs: 10_000 } });
    const { captions = [] } = leased.as(EncodeJob);
    return captions.map(({ name, language, kind }) => `${name} ${language} ${kind}`);
  };
  const add = (...more: string[]) => nearcast('title', 'add', '--no-wait', ...more);

  t.match(await add(join(root, 'one', 'film.mkv')), { code: 0 });
  t.strictSame(await captionsOfNext(), ['film.en.forced.srt en forced', 'film.en.srt en subtitles']);

  const named = ['--captions', `${join(root, 'one', 'other.de.srt')}:de:sdh`];
  const better = ['--captions', `${join(root, 'one', 'film.en.srt')}:en`];
  t.match(await add(join(root, 'two', 'film.mkv'), ...named, ...better), { code: 0 });
  t.strictSame(await captionsOfNext(), ['other.de.srt de captions', 'film.en.srt en subtitles']);

  const third = join(root, 'three', 'film.mkv');
  const refused = await add(third);
  t.match(refused, { code: 1, stderr: /CAPTIONS_INVALID[^]*film.en.srt: it is neither SubRip/ });
  t.notMatch(refused.stderr, /✔ upload/, 'before anything is uploaded');
  t.match(await add(third, '--captions', 'film.srt'), { code: 64, stderr: /FILE:LANGUAGE/ });
  t.match(await add(third, '--no-captions'), { code: 0 });
  t.strictSame(await captionsOfNext(), []);

  t.match(await add(third, '--on-server', ...named), { code: 0 });
  t.strictSame(await captionsOfNext(), ['other.de.srt de captions']);

  const list = join(root, 'list', 'titles.csv');
  const head = 'id,name,path,captions:fr:forced,captions:de';
  await writeFile(list, `${head}\n1,Listed,film.mkv,text.srt,broken.srt\n`);
  t.match(await nearcast('title', 'import', list), {
    ...{ code: 1, stdout: /1 +0 +0 +0 +1[^]*CAPTIONS_INVALID +captions are left out: broken.srt/ },
  });
  t.strictSame(await captionsOfNext(), ['text.srt fr forced']);
});
