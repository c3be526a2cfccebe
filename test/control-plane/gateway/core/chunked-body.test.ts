import fc from 'fast-check';
import t from 'tap';
import { ChunkedBody } from '../../../../control-plane/gateway/core/chunked-body.ts';

/** What is read of pieces: the body, how it ended, and what is left of the last piece. */
function readAll(pieces: readonly Buffer[]): { body: string; end: 'over' | 'open' | 'wrong'; left: number } {
  const parts: Buffer[] = [];
  const chunked = new ChunkedBody((part) => parts.push(Buffer.from(part)));
  let left = 0;
  for (const piece of pieces) {
    const read = chunked.isOver ? 0 : chunked.read(piece);
    if (read === -1) return { body: '', end: 'wrong', left: 0 };
    left += piece.length - read;
  }
  return { body: Buffer.concat(parts).toString('latin1'), end: chunked.isOver ? 'over' : 'open', left };
}

const read = (text: string) => readAll([Buffer.from(text, 'latin1')]);

t.test('chunks, extensions and trailers', (t) => {
  t.same(read('5\r\nhello\r\n0A;a=b; c="d"\r\n0123456789\r\n0\r\n\r\n'), {
    body: 'hello0123456789',
    end: 'over',
    left: 0,
  });
  t.same(read('1\r\na\r\n0\r\nX-Sum: 1\r\nB: c\r\n\r\nHTTP'), { body: 'a', end: 'over', left: 4 });
  t.same(read('000\r\n\r\n'), { body: '', end: 'over', left: 0 });
  t.same(read('5\r\nhel'), { body: 'hel', end: 'open', left: 0 });
  t.end();
});

t.test('what is not in chunks is wrong', (t) => {
  for (const text of [
    'x\r\n',
    '\r\n',
    '-1\r\n',
    '0x5\r\nhello\r\n',
    '+5\r\nhello\r\n',
    ' 5\r\nhello\r\n',
    '5\nhello\r\n',
    '5\r\nhello!\r\n',
    '5\r\nhello\n',
    '5\r\nhello\r\n\r\n',
    `${'f'.repeat(13)}\r\n`,
    `5;${'a'.repeat(1100)}`,
    '0\r\nno field\r\n\r\n',
    '0\r\n folded: a\r\n\r\n',
    `0\r\n${`a: ${'b'.repeat(900)}\r\n`.repeat(10)}\r\n`,
  ])
    t.match(read(text), { end: 'wrong' }, JSON.stringify(text.slice(0, 40)));
  t.end();
});

t.test('however it is cut into pieces, the same is read', (t) => {
  const chunk = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.constantFrom('', ';a', ' ;b=c'));
  fc.assert(
    fc.property(
      fc.array(chunk, { maxLength: 6 }),
      fc.constantFrom('', 'A: b\r\n'),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }),
      (chunks, trailer, sizes) => {
        const body = Buffer.concat(chunks.map(([bytes]) => bytes));
        const sent = Buffer.concat([
          ...chunks.flatMap(([bytes, extension]) => [
            Buffer.from(`${bytes.length.toString(16)}${extension}\r\n`),
            bytes,
            Buffer.from('\r\n'),
          ]),
          Buffer.from(`0\r\n${trailer}\r\n`),
        ]);
        const pieces: Buffer[] = [];
        for (let at = 0, turn = 0; at < sent.length; turn++) {
          const end = at + (sizes[turn % sizes.length] ?? 1);
          pieces.push(sent.subarray(at, end));
          at = end;
        }
        const seen = readAll(pieces);
        return seen.end === 'over' && seen.left === 0 && seen.body === body.toString('latin1');
      },
    ),
  );
  t.end();
});
