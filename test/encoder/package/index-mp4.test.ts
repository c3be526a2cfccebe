import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { indexMp4 } from '../../../encoder/package/index-mp4.ts';
import { makeClip, picture, quick, tone } from '../support/clips.ts';

const directory = t.testdir();
const at = (name: string): string => join(directory, name);
const flags = ['-movflags', '+frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets+global_sidx'];
const film = [...picture({ seconds: 3 }), '-c:v', 'libx264', '-bf', '2', '-g', '25', '-sc_threshold', '0'];

await t.test('a fragmented file with B-frames that starts at 0', async (t) => {
  const path = await makeClip(at('film.mp4'), [...film, ...flags]);
  const index = await indexMp4(path);
  const bytes = await readFile(path);
  t.match(index, { sizeBytes: bytes.length, codecs: /^avc1\.[0-9a-f]{6}$/ });
  t.equal(index.segments.length, 3);
  for (const [number, segment] of index.segments.entries()) {
    t.match(segment, { samples: 25, startsWithKeyFrame: true, durationTicks: index.timescale });
    t.equal(segment.presentationStartTicks, number * index.timescale);
    t.equal(bytes.toString('latin1', segment.offsetBytes + 4, segment.offsetBytes + 8), 'moof');
  }
});

await t.test('what cannot be addressed by one flat index', async (t) => {
  const cases: Record<string, string[]> = {
    'two-tracks.mp4': [...picture(), ...tone(), ...quick, ...flags],
    'plain.mp4': film,
    'no-sidx.mp4': [...film, '-movflags', '+frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets'],
  };
  for (const [name, args] of Object.entries(cases)) {
    await t.rejects(indexMp4(await makeClip(at(name), args)), { code: 'ENCODE_FAILED' }, name);
  }
});

await t.test('what was cut or replaced', async (t) => {
  const bytes = await readFile(at('film.mp4'));
  await writeFile(at('cut.mp4'), bytes.subarray(0, bytes.length - 700));
  await t.rejects(indexMp4(at('cut.mp4')), { code: 'ENCODE_FAILED' });
  await writeFile(at('empty.mp4'), '');
  await t.rejects(indexMp4(at('empty.mp4')), { code: 'ENCODE_FAILED' });
  await symlink(at('film.mp4'), at('link.mp4'));
  await t.rejects(indexMp4(at('link.mp4')), 'a link is not followed');
});
