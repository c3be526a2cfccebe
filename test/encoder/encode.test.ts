import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { makeClip, output, picture, quick, tone, withEncoded } from './support/clips.ts';
import { bytesOf, verifyEncoded } from './support/verify-encoded.ts';

const directory = t.testdir();
const at = (name: string): string => join(directory, name);

await t.test('a film becomes an aligned ladder with sound, poster and thumbnails', async (t) => {
  const clip = await makeClip(at('film.mp4'), [
    ...[...picture({ size: '640x360', rate: '30000/1001', seconds: 9 }), ...tone(9), ...quick],
    ...['-metadata', 'title=By its tags', '-metadata', 'date=1989'],
  ]);
  const stages = new Set<string>();
  let fraction = 0;
  await withEncoded(
    clip,
    async (encoded, work) => {
      const bundle = await verifyEncoded(t, encoded, work);
      t.strictSame(encoded.tags, { name: 'By its tags', year: 1989 });
      t.same(
        bundle.video.map(({ id, width, height }) => [id, width, height]),
        [
          ['360p', 640, 360],
          ['240p', 426, 240],
        ],
      );
      t.match(bundle.video[0]?.codecs, /^avc1\.6400[0-9a-f]{2}$/);
      t.equal(bundle.video[0]?.frameRate, 29.97);
      t.same(
        bundle.video[0]?.segments.map(([, , ticks]) => ticks),
        [120_120, 120_120, 29_029 + 1001],
      );
      t.match(bundle.audio, [{ codecs: 'mp4a.40.2', channels: 2, sampleRateHz: 48_000, language: 'und' }]);
      const poster = encoded.files.find((file) => file.role === 'poster');
      t.same(await imageSize(poster?.content.kind === 'path' ? poster.content.path : ''), '640,360');
      const { thumbnails } = bundle;
      t.same([thumbnails.tileWidth, thumbnails.tileHeight, thumbnails.intervalMs], [160, 90, 2002]);
      const sprite = encoded.files.find((file) => file.role === 'sprite');
      t.same(await imageSize(sprite?.content.kind === 'path' ? sprite.content.path : ''), '800,450');
      const vtt = encoded.files.find((file) => file.role === 'thumbnails');
      const cues = vtt === undefined ? '' : (await bytesOf(vtt)).toString();
      t.match(cues, `00:00:02.002 --> 00:00:04.004\n${thumbnails.sprites[0] ?? ''}.jpg#xywh=160,0,160,90\n`);
      t.equal(cues.match(/-->/g)?.length, 5);
    },
    {
      onProgress: (progress) => {
        stages.add(progress.stage);
        t.ok(progress.fraction >= fraction, 'progress never goes back');
        fraction = progress.fraction;
      },
    },
  );
  t.same([...stages], ['probing', 'encoding', 'packaging']);
});

await t.test('the cover that a file brings along is its poster, where it can be read', async (t) => {
  const cover = await makeClip(at('cover.png'), [
    ...['-f', 'lavfi', '-i', 'color=red:size=300x450', '-frames:v', '1'],
  ]);
  const film = await makeClip(at('uncovered.mp4'), [...picture({ seconds: 1 }), ...quick]);
  const copied = ['-map', '0', '-map', '1', '-c', 'copy', '-disposition:v:1', 'attached_pic'];
  const covered = await makeClip(at('covered.mp4'), ['-i', film, '-i', cover, ...copied]);
  const posterOf = async (clip: string): Promise<string> => {
    let size = '';
    await withEncoded(clip, async (encoded, work) => {
      await verifyEncoded(t, encoded, work);
      const posters = encoded.files.filter((file) => file.role === 'poster');
      t.equal(posters.length, 1);
      const content = posters[0]?.content;
      size = await imageSize(content?.kind === 'path' ? content.path : '');
    });
    return size;
  };
  t.equal(await posterOf(covered), '300,450');
  const bytes = await readFile(covered);
  const places = [bytes.indexOf('\x89PNG', 0, 'latin1'), bytes.indexOf('IDAT')] as const;
  t.ok(places[0] > 0 && places[1] > places[0]);
  await writeFile(at('broken.mp4'), bytes.fill(0x55, places[1] + 4, places[1] + 200));
  t.equal(await posterOf(at('broken.mp4')), '160,90', 'a picture of the film');
});

await t.test('the same source gives the same files', async (t) => {
  const clip = await makeClip(at('same.mp4'), [...picture({ seconds: 2 }), ...tone(2), ...quick]);
  const names = await Promise.all(
    [1, 2].map(() => withEncoded(clip, async ({ bundleFile }) => bundleFile.file)),
  );
  t.equal(names[0], names[1]);
});

await t.test('sound stays with the picture and is as long', async (t) => {
  // A beep at 1 s exactly, silence elsewhere.
  const beep = "aevalsrc='if(between(t,1,1.2),sin(2*PI*1000*t),0)':s=48000:d=3";
  const clip = await makeClip(at('beep.mp4'), [...picture(), '-f', 'lavfi', '-i', beep, ...quick]);
  await withEncoded(clip, async (encoded) => {
    const audio = encoded.files.find((file) => file.role === 'audio');
    const path = audio?.content.kind === 'path' ? audio.content.path : '';
    const args = ['-v', 'info', '-i', path, '-af', 'silencedetect=n=-30dB:d=0.3', '-f', 'null', '-'];
    const heard = await output('sh', ['-c', 'exec ffmpeg "$@" 2>&1', 'sh', ...args]);
    const start = Number(/silence_end: ([\d.]+)/.exec(heard)?.[1]);
    t.ok(Math.abs(start - 1) < 0.012, `the beep at 1 s is heard at ${start} s`);
  });
});

/** Clips of which each has something special, and what must come of it. */
const cases: readonly {
  what: string;
  name: string;
  args: readonly string[];
  /** For what ffmpeg only writes when it copies. */
  copyArgs?: readonly string[];
  frames: number;
  size: string;
  /** What is heard; of one sound that names no language when absent. */
  languages?: readonly string[];
}[] = [
  {
    what: 'no sound',
    name: 'mute.mp4',
    args: [...picture(), ...quick],
    frames: 75,
    size: '160x90',
    languages: [],
  },
  {
    what: 'sound in two languages, of which one is the default and one ends early',
    name: 'languages.mkv',
    args: [
      ...[...picture(), ...tone(3), ...tone(1), '-map', '0:v', '-map', '1:a', '-map', '2:a', ...quick],
      ...['-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=ger'],
      ...['-disposition:a:0', '0', '-disposition:a:1', 'default'],
    ],
    frames: 75,
    size: '160x90',
    languages: ['de', 'en'],
  },
  {
    what: 'an odd size',
    name: 'odd.mkv',
    args: [...picture({ size: '333x251', seconds: 2 }), ...tone(2), '-c:v', 'ffv1', '-c:a', 'flac'],
    frames: 50,
    size: '332x250',
  },
  {
    what: 'variable frame rate',
    name: 'vfr.mp4',
    args: [
      ...picture({ rate: 30, seconds: 4 }),
      ...tone(4),
      '-vf',
      "select='if(lt(t,2),1,not(mod(n,3)))'",
      '-vsync',
      'vfr',
      ...quick,
    ],
    frames: 120,
    size: '160x90',
  },
  {
    what: 'less than a segment',
    name: 'short.mp4',
    args: [...picture({ seconds: 0.2 }), ...tone(0.2), ...quick],
    frames: 5,
    size: '160x90',
  },
  {
    what: 'one single frame',
    name: 'one.mp4',
    args: [...picture({ seconds: 0.04 }), ...quick],
    frames: 1,
    size: '160x90',
    languages: [],
  },
  {
    what: 'sound that ends early',
    name: 'early.mp4',
    args: [...picture(), ...tone(1), ...quick],
    frames: 75,
    size: '160x90',
  },
  {
    what: 'sound that goes on',
    name: 'late.mp4',
    args: [...picture({ seconds: 2 }), ...tone(5), ...quick],
    frames: 125,
    size: '160x90',
  },
  {
    what: 'HEVC with 10 bits in Matroska',
    name: 'hevc.mkv',
    args: [
      ...[
        ...picture({ seconds: 2 }),
        ...tone(2),
        '-c:v',
        'libx265',
        '-preset',
        'ultrafast',
        '-x265-params',
        'log-level=none',
      ],
      ...['-pix_fmt', 'yuv420p10le', '-c:a', 'libopus'],
    ],
    frames: 50,
    size: '160x90',
  },
  {
    what: 'HDR',
    name: 'hdr.mkv',
    args: [
      ...[...picture({ seconds: 1 }), '-c:v', 'libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le'],
      ...['-x265-params', 'log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc'],
    ],
    frames: 25,
    size: '160x90',
    languages: [],
  },
  {
    what: 'VP9 and Opus in WebM without a duration',
    name: 'live.webm',
    args: [
      ...[
        ...picture({ seconds: 2 }),
        ...tone(2),
        '-c:v',
        'libvpx-vp9',
        '-deadline',
        'realtime',
        '-cpu-used',
        '8',
      ],
      ...['-c:a', 'libopus', '-live', '1'],
    ],
    frames: 50,
    size: '160x90',
  },
  {
    what: 'an upright picture from a turned phone',
    name: 'turned.mp4',
    args: [...picture({ seconds: 1 }), ...quick],
    copyArgs: ['-metadata:s:v:0', 'rotate=90'],
    frames: 25,
    size: '90x160',
    languages: [],
  },
  {
    what: 'pixels that are not square',
    name: 'anamorphic.mp4',
    args: [...picture({ size: '180x144', seconds: 1 }), '-vf', 'setsar=16/11', ...quick],
    frames: 25,
    size: '262x144',
    languages: [],
  },
  {
    what: 'interlaced MPEG-2 in a transport stream that does not begin at 0',
    name: 'tv.ts',
    args: [
      ...[
        ...picture({ seconds: 2 }),
        ...tone(2),
        '-c:v',
        'mpeg2video',
        '-flags',
        '+ilme+ildct',
        '-c:a',
        'mp2',
      ],
      ...['-output_ts_offset', '5000'],
    ],
    frames: 50,
    size: '160x90',
  },
  {
    what: '120 frames a second',
    name: 'fast.mp4',
    args: [...picture({ rate: 120, seconds: 1 }), ...quick],
    frames: 60,
    size: '160x90',
    languages: [],
  },
  {
    what: 'a cover picture beside the film',
    name: 'cover.mp4',
    args: [
      ...[...picture({ seconds: 1 }), ...tone(1), ...picture({ size: '64x64', seconds: 0.04 })],
      ...['-map', '2:v', '-map', '0:v', '-map', '1:a', '-c:v:0', 'mjpeg', '-disposition:v:0', 'attached_pic'],
      ...['-c:v:1', 'libx264', '-pix_fmt:v:1', 'yuv420p', '-c:a', 'aac'],
    ],
    frames: 25,
    size: '160x90',
  },
];

for (const { what, name, args, copyArgs, frames, size, languages = ['und'] } of cases) {
  await t.test(what, async (t) => {
    const made = await makeClip(at(name), args);
    const copied = copyArgs && ['-i', made, '-c', 'copy', ...copyArgs];
    const clip = copied === undefined ? made : await makeClip(at(`copy-${name}`), copied);
    await withEncoded(clip, async (encoded, work) => {
      const bundle = await verifyEncoded(t, encoded, work);
      const [top] = bundle.video;
      t.equal(`${top?.width}x${top?.height}`, size);
      t.ok(
        Math.abs(encoded.plan.video.frameCount - frames) <= (frames > 5 ? 2 : 0),
        `${encoded.plan.video.frameCount}`,
      );
      t.strictSame(
        bundle.audio.map(({ id, language }) => `${id} ${language}`),
        languages.map((language, index) => `${index === 0 ? 'audio' : `audio-${index + 1}`} ${language}`),
      );
    });
  });
}

await t.test('a picture that changes its size on the way', async (t) => {
  const parts = await Promise.all([
    makeClip(at('small.ts'), [...picture({ seconds: 1 }), ...quick]),
    makeClip(at('large.ts'), [
      ...picture({ size: '320x180', seconds: 1 }),
      ...quick,
      '-output_ts_offset',
      '1',
    ]),
  ]);
  const joined = await Promise.all(parts.map((part) => readFile(part)));
  await writeFile(at('joined.ts'), Buffer.concat(joined));
  await withEncoded(at('joined.ts'), async (encoded, work) => {
    const bundle = await verifyEncoded(t, encoded, work);
    t.equal(bundle.video[0]?.width, 160);
    t.ok(Math.abs(bundle.durationMs - 2000) <= 80);
  });
});

async function imageSize(path: string): Promise<string> {
  const args = ['-v', 'error', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', path];
  return (await output('ffprobe', args)).trim();
}
