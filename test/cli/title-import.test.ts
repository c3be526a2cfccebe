import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import { EncodeJob } from '../../common/contract/titles.ts';
import { enrolNode, startPlane } from '../control-plane/support/control-plane.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';

t.test('titles are imported from the command line', async (t) => {
  const root = t.testdir({
    'film.mp4': 'a film',
    'film.nfo': '<movie><title>A film</title><year>1999</year></movie>',
    Dekalog: {
      'tvshow.nfo': '<tvshow><title>Dekalog</title></tvshow>',
      's01e01.mkv': 'an episode',
    },
    watched: {},
  });
  const plane = await startPlane(t, {
    flags: ['--ingest-roots', root, '--watch-folders', join(root, 'watched')],
  });
  const nearcast = nearcastCli(plane);
  const list = join(root, 'titles.csv');
  await writeFile(
    list,
    'id,name,kind,part_of,path\n1,One,series,,\n2,"broken\n3,S1,season,1,\n4,E1,episode,3,film.mp4\n',
  );

  const dry = await nearcast('title', 'import', list, '--dry-run');
  t.match(dry, { code: 1, stdout: /would be new[^]*3 +0 +0 +0 +1[^]*titles.csv +3 +IMPORT_LINE_INVALID/ });
  t.match(dry.stderr, /IMPORT_INCOMPLETE[^]*1 of 4 would be passed over; nothing was done/);
  t.strictSame((await plane.call('GET /v1/titles')).json, { titles: [] });
  t.match(await nearcast('title', 'import', list), { code: 1, stdout: /3 +0 +0 +0 +1/, stderr: /✔ upload/ });
  t.match((await nearcast('--json', 'title', 'import', list)).stdout, /"unchanged": 3/);

  await writeFile(list, 'id,name\n1,Uno\n9,Nothing to see\n');
  t.match(await nearcast('title', 'import', list), {
    code: 1,
    stdout: /0 +1 +0 +0 +1[^]*exactly one of uploadId and path/,
  });
  await writeFile(list, 'id,name,path\n9,Missing,missing.mp4\n');
  t.match(await nearcast('title', 'import', list, '--dry-run'), { code: 1, stdout: /PATH_UNREADABLE/ });
  t.match(await nearcast('title', 'import', list), { code: 1, stdout: /PATH_UNREADABLE/ });

  await writeFile(list, 'id,name,colour\n1,One,blue\n');
  t.match(await nearcast('title', 'import', list), {
    code: 0,
    stdout: /0 +1 +0 +0 +0[^]*IMPORT_COLUMN_UNKNOWN/,
  });
  t.match(await nearcast('title', 'import', list, '--label', 'a b'), {
    code: 64,
    stderr: /up to 32 letters/,
  });
  await writeFile(list, 'id,name\n1,One\n');
  t.match(await nearcast('title', 'import', root, '--on-server'), { code: 0, stdout: /4 +0 +1 +0 +0/ });
  t.match(await nearcast('title', 'import', root, '--on-server'), { code: 0, stdout: /0 +0 +5 +0 +0/ });
  for (const more of [['--on-server'], []])
    t.match(await nearcast('title', 'import', root, '--label', 'films', '--dry-run', ...more), {
      ...{ code: 0, stdout: /0 +4 +1 +0 +0/ },
    });
  t.match((await nearcast('title', 'list')).stdout, /A film[^]*Dekalog|Dekalog[^]*A film/);
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const jobOf = async (wanted: string): Promise<EncodeJob> => {
    const leased = await encoder.call('POST /v1/encode-jobs/lease', { body: { waitMs: 5000 } });
    const job = leased.as(EncodeJob);
    return job.name === wanted ? job : await jobOf(wanted);
  };
  const { jobId, leaseId } = await jobOf('A film');
  const fail = { leaseId, code: 'SOURCE_NOT_VIDEO', detail: 'no film', final: true };
  await encoder.call(`POST /v1/encode-jobs/${jobId}/fail`, { body: fail });
  t.match(await nearcast('title', 'import', root), { code: 0, stderr: /^(?!.*upload)/s });
  t.match(await nearcast('title', 'import', root, '--again', 'all'), {
    code: 64,
    stderr: /failed, replaced/,
  });
  const rehearsed = async (which: string) =>
    (await nearcast('title', 'import', root, '--again', which, '--dry-run')).stdout;
  t.match(await rehearsed('replaced,withdrawn'), /0 +0 +5 +0 +0/);
  t.match(await rehearsed('failed'), /would be made anew[^]*0 +0 +5 +1 +0/);
  t.match(await nearcast('title', 'import', root, '--again', 'failed'), {
    ...{ code: 0, stderr: /upload/ },
    stdout: /0 +0 +5 +1 +0/,
  });
  await writeFile(join(root, 'film.mp4'), 'another film');
  await writeFile(join(root, 'film.nfo'), '<movie><title>A film</title><year>2000</year></movie>');
  t.match(await nearcast('title', 'import', root), {
    ...{ code: 1, stdout: /0 +1 +4 +0 +1[^]*SOURCE_REPLACED/ },
  });
  t.match(await nearcast('title', 'import'), { code: 0, stdout: /watched +0/ });
  t.match(await nearcast('title', 'import', join(root, 'nothing')), { code: 1, stderr: /PATH_UNREADABLE/ });
});
