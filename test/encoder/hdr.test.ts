import { join } from 'node:path';
import t from 'tap';
import type { Bundle } from '../../common/contract/bundle.ts';
import { checkBundle } from '../../control-plane/core/check-bundle.ts';
import type { Ffmpeg } from '../../encoder/ffmpeg.ts';
import { makeClip, openTestFfmpeg, output, tone, withEncoded } from './support/clips.ts';
import { verifyEncoded } from './support/verify-encoded.ts';

const directory = t.testdir();
const at = (name: string): string => join(directory, name);
const light =
  'master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400';

/** A clip in BT.2020 with so many bits, as HEVC; what it says of its light stands in the pictures alone. */
async function makeBrightClip(
  name: string,
  { transfer = 'smpte2084', format = 'yuv420p10le', more = '', seconds = 9 },
) {
  const colours = `color_primaries=bt2020:color_trc=${transfer}:colorspace=bt2020nc:range=tv`;
  const x265 = `log-level=none:colorprim=bt2020:transfer=${transfer}:colormatrix=bt2020nc${more}`;
  return makeClip(at(name), [
    ...['-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=25:duration=${seconds}`, ...tone(seconds)],
    ...['-vf', `format=${format},setparams=${colours}`, '-c:v', 'libx265', '-preset', 'ultrafast'],
    ...['-x265-params', x265, '-c:a', 'aac'],
  ]);
}

const told = (bundle: Bundle) => bundle.video.map(({ id, videoRange = 'sdr' }) => `${id} ${videoRange}`);
const sdrFiles = (bundle: Bundle) =>
  bundle.video.filter(({ videoRange }) => videoRange === undefined).map(({ file }) => file);

interface Shown {
  streams: Record<string, string>[];
  frames: { side_data_list?: Record<string, string | number>[] }[];
}

/** What a decoder finds in the first picture of a file. */
async function firstPicture(path: string): Promise<Shown> {
  const args = [
    '-v',
    'error',
    '-read_intervals',
    '%+#1',
    '-show_streams',
    '-show_frames',
    '-of',
    'json',
    path,
  ];
  return JSON.parse(await output('ffprobe', args)) as Shown;
}

for (const { range, transfer, more, code } of [
  { range: 'pq', transfer: 'smpte2084', more: `:hdr10=1:${light}`, code: 16 },
  { range: 'hlg', transfer: 'arib-std-b67', more: '', code: 18 },
])
  await t.test(`${range}: HDR renditions beside the same SDR as without`, async (t) => {
    const clip = await makeBrightClip(`${range}.mkv`, { transfer, more });
    const made = await withEncoded(clip, async (encoded, work) => {
      const bundle = await verifyEncoded(t, encoded, work);
      t.ok(checkBundle(bundle).ok);
      t.strictSame(told(bundle), [
        '360p sdr',
        '240p sdr',
        `360p-${range} ${range}`,
        `240p-${range} ${range}`,
      ]);
      const hdr = bundle.video.filter((one) => one.videoRange !== undefined);
      t.match(hdr[0]?.codecs, new RegExp(`^av01\\.0\\.01M\\.10\\.0\\.11\\d\\.09\\.${code}\\.09\\.0$`));
      for (const { id, segments } of hdr)
        for (const [index] of segments.entries()) {
          const { streams, frames } = await firstPicture(join(work, `segment-${id}-${index}.mp4`));
          t.match(streams[0], {
            ...{ codec_name: 'av1', pix_fmt: 'yuv420p10le', color_range: 'tv' },
            ...{ color_primaries: 'bt2020', color_transfer: transfer, color_space: 'bt2020nc' },
          });
          const sideData = frames[0]?.side_data_list ?? [];
          if (range === 'hlg') t.strictSame(sideData, []);
          else
            t.match(
              Object.assign({}, ...sideData),
              { max_content: 1000, max_average: 400, max_luminance: '256000/256', green_y: '45220/65536' },
              `${id}: segment ${index} says of its light what the source says`,
            );
        }
      return { bundle, name: encoded.bundleFile.file };
    });
    if (range === 'hlg') return;
    const again = await withEncoded(clip, async ({ bundleFile }) => bundleFile.file);
    t.equal(again, made.name, 'the same source gives the same files');
    const plain = await withEncoded(clip, async ({ bundle }) => bundle, { hdr: false });
    t.strictSame(told(plain), ['360p sdr', '240p sdr'], 'the encoder may be told to make none');
    t.strictSame(sdrFiles(made.bundle), sdrFiles(plain), 'SDR is the same, to the byte');
  });

/** Clips of which each has something special. */
for (const { what, source, more = [], frames } of [
  { what: 'one single frame', source: 'testsrc2=size=160x90:rate=25:duration=0.04', frames: 1 },
  { what: 'less than a group of pictures', source: 'testsrc2=size=160x90:rate=25:duration=0.2', frames: 5 },
  {
    what: 'sound that goes on',
    source: 'testsrc2=size=160x90:rate=30000/1001:duration=5',
    more: tone(7),
    frames: 209,
  },
  { what: 'an odd size, upright', source: 'testsrc2=size=251x333:rate=50:duration=5', frames: 250 },
])
  await t.test(`HDR: ${what}`, async (t) => {
    const clip = await makeClip(at(`${what}.mkv`), [
      ...['-f', 'lavfi', '-i', source, ...more, '-c:v', 'ffv1', '-c:a', 'flac'],
      ...[
        '-vf',
        'format=yuv422p12le',
        '-color_primaries',
        'bt2020',
        '-color_trc',
        'smpte2084',
        '-colorspace',
        'bt2020nc',
      ],
    ]);
    await withEncoded(clip, async (encoded, work) => {
      const bundle = await verifyEncoded(t, encoded, work);
      t.equal(encoded.plan.video.frameCount, frames);
      t.ok(bundle.video.some(({ videoRange }) => videoRange === 'pq'));
    });
  });

await t.test('a cap that binds: HDR keeps to it, and to the same bytes', async (t) => {
  const colours = 'color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv';
  const noise = `color=gray:size=160x90:rate=25:duration=8,noise=alls=100:allf=t`;
  const clip = await makeClip(at('noise.mkv'), [
    ...['-f', 'lavfi', '-i', noise, '-vf', `format=yuv420p10le,setparams=${colours}`],
    ...['-c:v', 'libx265', '-preset', 'ultrafast', '-crf', '10'],
    ...['-x265-params', 'log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc'],
  ]);
  const encode = () => withEncoded(clip, async ({ bundle, plan }) => ({ bundle, plan }));
  const [{ bundle, plan }, again] = [await encode(), await encode()];
  const cap = plan.video.rungs.find(({ videoRange }) => videoRange === 'pq')?.bitsPerSecondMax ?? 0;
  const hdr = bundle.video.find(({ videoRange }) => videoRange === 'pq');
  t.comment(`${hdr?.averageBandwidth} of ${cap}`);
  t.ok((hdr?.averageBandwidth ?? Infinity) < cap * 1.3);
  t.equal(again.bundle.video.find(({ videoRange }) => videoRange === 'pq')?.file, hdr?.file);
});

await t.test('SDR alone of what is HDR by name only, and where ffmpeg cannot make it', async (t) => {
  const flat = await makeBrightClip('flat.mkv', { format: 'yuv420p', seconds: 1 });
  t.strictSame(await withEncoded(flat, async ({ bundle }) => told(bundle)), ['360p sdr', '240p sdr']);
  const short = await makeBrightClip('short.mkv', { seconds: 1 });
  const notices: string[] = [];
  const ffmpeg: Ffmpeg = { ...(await openTestFfmpeg()), encodesHdr: async () => false };
  const onNotice = (notice: string): void => void notices.push(notice);
  const bundle = await withEncoded(short, async (encoded) => encoded.bundle, { ffmpeg, onNotice });
  t.strictSame(told(bundle), ['360p sdr', '240p sdr']);
  t.match(notices, [/no libsvtav1/]);
});
