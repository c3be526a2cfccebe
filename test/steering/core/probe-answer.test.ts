import fc from 'fast-check';
import t from 'tap';
import { probeAnswerBytesMax, readProbeAnswer } from '../../../steering/core/probe-answer.ts';

const body = 'x'.repeat(40);
const whole = (head: string, rest = body): Buffer => Buffer.from(`HTTP/1.1 200 OK\r\n${head}\r\n${rest}`);
const chunked = (sizes: readonly number[], text: string, trailer = ''): string => {
  let at = 0;
  const lines = sizes.map((size) => {
    const chunk = text.slice(at, (at += size));
    return `${chunk.length.toString(16)};ext=1\r\n${chunk}\r\n`;
  });
  const rest = text.slice(at);
  return `${lines.join('')}${rest.length.toString(16)}\r\n${rest}\r\n0\r\n${trailer}\r\n`;
};

t.test('an answer is the same however its bytes come, and is not whole before they have', (t) => {
  const answers = fc.oneof(
    fc.constant(whole(`Server: a\r\nContent-Length: ${body.length}\r\n`)),
    fc
      .array(fc.integer({ min: 1, max: 12 }), { maxLength: 3 })
      .map((sizes) => whole('transfer-encoding: Chunked\r\n', chunked(sizes, body))),
    fc.constant(whole('transfer-encoding: chunked\r\n', chunked([7], body, 'Digest: none\r\n'))),
  );
  fc.assert(
    fc.property(answers, fc.nat(200), (bytes, cut) => {
      const part = readProbeAnswer(bytes.subarray(0, Math.min(cut, bytes.length - 1)), false);
      const read = readProbeAnswer(bytes, false);
      return (
        part === 'more' &&
        typeof read === 'object' &&
        read.status === 200 &&
        read.keeps &&
        read.body.toString() === body
      );
    }),
  );
  t.end();
});

t.test('whether the connection may be asked again', (t) => {
  const length = `Content-Length: ${body.length}\r\n`;
  t.match(readProbeAnswer(whole(`${length}Connection: Keep-Alive\r\n`), false), { keeps: true });
  t.match(readProbeAnswer(whole(`${length}Connection: close\r\n`), false), { keeps: false });
  t.match(
    readProbeAnswer(whole(length, `${body}HTTP/1.1`), false),
    { keeps: false },
    'more than was asked for',
  );
  t.match(readProbeAnswer(whole(length), true), { keeps: false }, 'it was closed');
  const old = Buffer.from(`HTTP/1.0 200 OK\r\n\r\n${body}`);
  t.equal(readProbeAnswer(old, false), 'more');
  t.match(readProbeAnswer(old, true), { status: 200, body: Buffer.from(body), keeps: false });
  t.match(readProbeAnswer(Buffer.from('HTTP/1.1 503 Busy\r\n\r\n'), false), { status: 503, keeps: false });
  t.end();
});

t.test('what is no answer', (t) => {
  for (const text of [
    'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    'HTTP/2 200\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n',
  ])
    t.equal(readProbeAnswer(Buffer.from(text), false), 'garbage', text);
  t.equal(readProbeAnswer(whole('Content-Length: 41\r\n'), true), 'garbage', 'cut short');
  const endless = whole('Content-Length: 999999\r\n', 'x'.repeat(probeAnswerBytesMax));
  t.equal(readProbeAnswer(endless, false), 'garbage');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isEnded) => {
      const read = readProbeAnswer(Buffer.concat([whole('').subarray(0, 20), bytes]), isEnded);
      return typeof read === 'string' || read.status === 200;
    }),
  );
  t.end();
});
