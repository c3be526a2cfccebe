import fc from 'fast-check';
import t from 'tap';
import {
  failureCodeOf,
  lastWords,
  readPacketLine,
  readProgressLineS,
} from '../../../encoder/core/ffmpeg-output.ts';
import type { PacketSpan } from '../../../encoder/core/probe.ts';

const end = (stderr: string, signal?: string) => ({
  exitCode: signal === undefined ? 1 : undefined,
  signal,
  stderr,
});

t.test('progress', (t) => {
  t.equal(readProgressLineS('out_time_us=1500000'), 1.5);
  for (const line of ['out_time_us=N/A', 'frame=3', 'out_time_us=-9', ''])
    t.equal(readProgressLineS(line), undefined);
  t.end();
});

t.test('packets', (t) => {
  const spans = new Map<number, PacketSpan>();
  for (const line of [
    '0,1.0,0.9,0.04,900',
    '0,0.5,0.5,0.04,70',
    '1,N/A,2.0,N/A,N/A',
    '2,N/A,N/A,N/A,5',
    'x,1,1,1,1',
    '',
  ]) {
    readPacketLine(line, spans);
  }
  t.same(
    [...spans],
    [
      [0, { packets: 2, startS: 0.5, endS: 1.04, bytes: 970, largestBytes: 900 }],
      [1, { packets: 1, startS: 2, endS: 2, bytes: 0, largestBytes: 0 }],
    ],
  );
  fc.assert(
    fc.property(fc.string(), (line) => {
      readPacketLine(line, spans);
    }),
  );
  t.end();
});

t.test('failures', (t) => {
  t.equal(failureCodeOf(end('av_interleaved_write_frame(): No space left on device')), 'DISK_FULL');
  t.equal(
    failureCodeOf(end('[mov] moov atom not found\nsource: Invalid data found when processing input')),
    'SOURCE_TRUNCATED',
  );
  t.equal(failureCodeOf(end('source: Invalid data found when processing input')), 'SOURCE_NOT_VIDEO');
  t.equal(failureCodeOf(end("Protocol 'http' not on whitelist 'file,pipe'!")), 'SOURCE_REFUSED');
  t.equal(failureCodeOf(end('x264: malloc of size 99 failed')), 'ENCODE_LIMIT');
  t.equal(failureCodeOf(end('', 'SIGKILL')), 'ENCODE_LIMIT');
  t.equal(failureCodeOf(end('', 'SIGSEGV')), 'ENCODE_FAILED');
  t.equal(failureCodeOf(end('who knows')), 'ENCODE_FAILED');
  t.end();
});

t.test('last words', (t) => {
  const said = '[h264 @ 0x55d] one\n[x @ 0x1] two\n    Last message repeated 3 times\nthree\n';
  t.equal(lastWords(end(said)), 'ffmpeg ended with exit code 1: two; three');
  t.equal(lastWords(end('', 'SIGSEGV')), 'ffmpeg ended with signal SIGSEGV');
  t.end();
});
