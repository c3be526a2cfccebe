import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t from 'tap';

import { startPlane } from '../control-plane/support/control-plane.ts';
import { makePicture } from '../encoder/support/pictures.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';

t.test(
  'pictures are set, listed and removed from the command line, and imported with their titles',
  async (t) => {
    const root = t.testdir({ list: {} });
    const plane = await startPlane(t, { flags: ['--ingest-roots', root] });
    const nearcast = nearcastCli(plane);
    const poster = join(root, 'poster.png');
    const page = join(root, 'page.jpg');
    await writeFile(poster, await makePicture('png', { size: '64x96' }));
    await writeFile(page, '<html>');
    await nearcast('title', 'create', 'Series', '--kind', 'series');

    t.match(await nearcast('title', 'art', 'list', 'Series'), { code: 0, stdout: /No pictures yet/ });
    const set = ['title', 'art', 'set', 'Series', 'poster'];
    t.match(await nearcast(...set, poster, '--no-wait', '--language', 'de'), {
      ...{ code: 0, stdout: /poster +de +queued/, stderr: /✔ upload/ },
    });
    t.match(await nearcast(...set, poster, '--no-wait', '--on-server'), {
      code: 0,
      stdout: /poster +– +queued/,
    });
    t.match(await nearcast(...set, page, '--no-wait'), { code: 1, stderr: /SOURCE_NOT_PICTURE[^]*a page/ });
    t.match(await nearcast('title', 'art', 'set', 'Series', 'cover', poster), { code: 64 });
    const listed = await nearcast('--json', 'title', 'art', 'list', 'Series');
    const [first, second] = JSON.parse(listed.stdout) as { id: string; language?: string }[];
    t.equal(first?.language, 'de');
    t.match(await nearcast('title', 'art', 'remove', 'Series', second?.id ?? ''), { code: 0 });
    t.match(await nearcast('title', 'art', 'remove', 'Series', 'artwork_none0000'), {
      ...{ code: 1, stderr: /ARTWORK_UNKNOWN/ },
    });

    const list = join(root, 'list', 'titles.csv');
    await writeFile(list, 'id,name,kind,poster,logo\n1,Other,series,../poster.png,../page.jpg\n');
    t.match(await nearcast('title', 'import', list), {
      ...{ code: 1, stdout: /1 +0 +0 +0 +1[^]*SOURCE_NOT_PICTURE/, stderr: /✔ upload/ },
    });
    t.match((await nearcast('title', 'art', 'list', 'Other')).stdout, /poster +– +queued/);
    await writeFile(list, 'id,name,kind,poster\n1,Other,series,../poster.png\n');
    t.match(await nearcast('title', 'import', list), {
      ...{ code: 0, stdout: /0 +0 +1 +0 +0/, stderr: /^(?!.*upload)/s },
    });
  },
);
