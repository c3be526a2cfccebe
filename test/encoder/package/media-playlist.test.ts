import t from 'tap';
import type { Mp4Index } from '../../../encoder/package/index-mp4.ts';
import { iframePlaylist, mediaPlaylist } from '../../../encoder/package/media-playlist.ts';

const file = 'ab'.repeat(32);
const segment = (offsetBytes: number, durationTicks: number): Mp4Index['segments'][number] => ({
  ...{ offsetBytes, lengthBytes: 1000, durationTicks, startTicks: 0, samples: 96 },
  ...{ startsWithKeyFrame: true, firstSampleEndBytes: 300, presentationStartTicks: 0 },
});
const index: Mp4Index = {
  ...{ sizeBytes: 3000, initLengthBytes: 750, timescale: 24_000, codecs: 'avc1.64001f' },
  segments: [segment(820, 96_096), segment(1820, 48_048)],
};

t.test('a media playlist to the letter', (t) => {
  t.equal(
    mediaPlaylist({ file, ext: 'mp4', index }),
    `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="${file}.mp4",BYTERANGE="750@0"
#EXTINF:4.004000,
#EXT-X-BYTERANGE:1000@820
${file}.mp4
#EXTINF:2.002000,
#EXT-X-BYTERANGE:1000@1820
${file}.mp4
#EXT-X-ENDLIST
`,
  );
  t.end();
});

t.test('an I-frame playlist has the ranges of the first samples', (t) => {
  const text = iframePlaylist({ file, ext: 'mp4', index });
  t.match(text, '#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI=');
  t.same(text.match(/BYTERANGE:\d+@\d+/g), ['BYTERANGE:300@820', 'BYTERANGE:300@1820']);
  t.end();
});
