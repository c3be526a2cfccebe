import t from 'tap';

import {
  HeadlessPlayer,
  holesOf,
  nameOfRanges,
  parseMediaPlaylist,
  parseMultivariant,
} from '../../../cli/demo/player.ts';
import { describeBytes } from '../../../common/core/chunk-tree.ts';

const multivariant = `#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio-a",NAME="en",URI="http://a/v1/t/sound.m3u8",PATHWAY-ID="a"
#EXT-X-STREAM-INF:BANDWIDTH=100,AUDIO="audio-a",PATHWAY-ID="a"
http://a/v1/t/low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=900,AUDIO="audio-a",PATHWAY-ID="a"
http://a/v1/t/high.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=900,PATHWAY-ID="b"
http://b/v1/t/high.m3u8
`;

t.test('the best variant of each pathway with its sound', async (t) => {
  t.strictSame(parseMultivariant(multivariant, 'http://c/master.m3u8'), [
    { id: 'a', playlists: ['http://a/v1/t/high.m3u8', 'http://a/v1/t/sound.m3u8'] },
    { id: 'b', playlists: ['http://b/v1/t/high.m3u8'] },
  ]);
});

t.test('the ranges of a media playlist, and the holes between them', async (t) => {
  const text = '#EXT-X-MAP:URI="f.mp4",BYTERANGE="10@0"\n#EXTINF:4,\n#EXT-X-BYTERANGE:5@20\nf.mp4\n';
  const { uri, ranges } = parseMediaPlaylist(text, 'http://a/v1/t/high.m3u8');
  t.equal(uri, 'http://a/v1/t/f.mp4');
  t.strictSame(ranges, [
    { start: 0, lengthBytes: 10 },
    { start: 20, lengthBytes: 5 },
  ]);
  t.strictSame(holesOf(ranges, 30), [
    { start: 10, lengthBytes: 10 },
    { start: 25, lengthBytes: 5 },
  ]);
  t.strictSame(holesOf(ranges, 25), [{ start: 10, lengthBytes: 10 }]);
  t.throws(() => parseMediaPlaylist('#EXTM3U', 'http://a/'), { code: 'INTERNAL' });
});

t.test('ranges in any order name the file, a hole is refused', async (t) => {
  const bytes = Buffer.from('every byte of it');
  const part = (start: number, end: number) => ({
    range: { start, lengthBytes: end - start },
    bytes: bytes.subarray(start, end),
  });
  t.equal(nameOfRanges([part(9, 16), part(0, 9)]).file, describeBytes(bytes).file);
  t.throws(() => nameOfRanges([part(0, 8), part(9, 16)]), { code: 'INTERNAL' });
});

t.test('the first of steering’s order that the playlist declares is taken', async (t) => {
  const player = new HeadlessPlayer(
    parseMultivariant(multivariant, 'http://c/'),
    new AbortController().signal,
  );
  player.steer(['unknown', 'b', 'a']);
  t.equal(player.current.id, 'b');
});
