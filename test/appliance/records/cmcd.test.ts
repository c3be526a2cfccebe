import fc from 'fast-check';
import t from 'tap';

import { formatAccessLine } from '../../../appliance/records/access-record.ts';
import { rawCmcd, readCmcd } from '../../../appliance/records/cmcd.ts';
import { loadCmcdDecoder } from '../../../common/runtime/cmcd-decoder.ts';

const decode = await loadCmcdDecoder();
const file = 'a'.repeat(64);
const read = (raw: string) => readCmcd(raw, { decode, isOurs: (id) => id === file });

void t.test('CMCD 1 and 2, by query and by headers: numbers, flags and tokens of the allow-list', (test) => {
  const text =
    'br=3200,bs,d=4004,mtp=25400,ot=v,rtp=15000,sid="6e2fb550-c457",tb=6000,nor="../x.mp4",nrr="0-99",' +
    `cid="${file}",sf=h,st=v,su,v=1,pr=1.08,com.example-user="Ann",bl=2100`;
  const facts = {
    br: 3200,
    bs: true,
    d: 4004,
    mtp: 25_400,
    ot: 'v',
    rtp: 15_000,
    tb: 6000,
    cid: file,
    sf: 'h',
    st: 'v',
    su: true,
    v: 1,
    pr: 1.08,
    bl: 2100,
  };
  test.same(read(`q=${encodeURIComponent(text)}`), facts);
  test.same(read(`h=${text}`), facts);
  test.same(
    read(
      'h=v=2,br=(5000;v 128;a),bl=(2000;v),mtp=(25400),sta=p,ec=("404"),bs,pt=12,sn=4,h="a.example",ts=1,ltc=9',
    ),
    { v: 2, br: [5000, 128], bl: 2000, mtp: 25_400, sta: 'p', bs: true, ltc: 9 },
  );
  test.end();
});

void t.test('a content id is kept only where it is ours', (test) => {
  test.same(read(`h=cid="${file}"`), { cid: file });
  test.equal(read(`h=cid="${'b'.repeat(64)}"`), undefined, 'it could name a viewer');
  test.equal(read('h=cid="Ann"'), undefined);
  test.end();
});

void t.test('what is no CMCD leaves nothing', (test) => {
  for (const raw of [
    ...['', 'q=', 'h=', 'x=br%3D1', 'br=1', 'q=%', 'q=%ff', 'q=br%3D', 'h=;;', 'h=nor="open', 'h=d=1e9'],
    ...['h=br="3200"', 'h=br=-5', 'h=bs=?0', 'h=ot="much too long"', 'h=br=:AAA=:', 'h=__proto__=1'],
    `h=br=1,nor="${'x'.repeat(1100)}"`,
  ]) {
    test.equal(read(raw), undefined, raw.slice(0, 40));
  }
  test.end();
});

void t.test('no bytes make it fail, and nothing but small values of known keys comes out', (test) => {
  const keys =
    /^(?:ab|bl|br|bsa|bsd|bsda|d|dfa|lab|lb|ltc|msd|mtp|pb|pr|rtp|tab|tb|tbl|tpb|v|bg|bs|nr|su|ot|sf|st|sta|cid)$/;
  const part = fc.oneof(
    fc.constantFrom(
      'br',
      'bs',
      'ot',
      'cid',
      'sid',
      'nor',
      'mtp',
      '=',
      ',',
      ';',
      '"',
      '(',
      ')',
      '?1',
      '1e99',
      '%2C',
      '%',
    ),
    fc.integer().map(String),
    fc.string(),
  );
  const text = fc.array(part, { maxLength: 30 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(
      fc.constantFrom('q=', 'h=', ''),
      fc.oneof(text, fc.string({ unit: 'binary' })),
      (form, body) => {
        for (const raw of [form + body, form + encodeURIComponent(body.toWellFormed())]) {
          const facts = read(raw) ?? {};
          for (const [key, value] of Object.entries(facts)) {
            if (!keys.test(key)) throw new Error(key);
            if (JSON.stringify(value).length > 200) throw new Error('large');
          }
        }
      },
    ),
    { numRuns: 5000 },
  );
  test.end();
});

void t.test(
  'a request gives its CMCD raw, as the native engine does: the query counts before the headers',
  (test) => {
    const headers = { 'cmcd-request': 'mtp=1', 'cmcd-object': 'br=2', 'cmcd-status': '' };
    test.equal(rawCmcd('/v1/t/f.mp4?a=b&CMCD=br%3D1&c', headers), 'q=br%3D1');
    test.equal(rawCmcd('/v1/t/f.mp4?CMCD=', headers), 'h=br=2,mtp=1');
    test.equal(rawCmcd('/v1/t/f.mp4?cmcd=br%3D1', {}), undefined);
    test.same(read(rawCmcd('/f', headers) ?? ''), { br: 2, mtp: 1 });
    test.end();
  },
);

void t.test('a line has its keys in one order, and none of what is absent', (test) => {
  const record = {
    timeMs: Date.UTC(2026, 10, 21, 9, 58, 55, 7),
    file: { file, ext: 'mp4' },
    status: 206,
    range: [0, 65_535],
    sentBytes: 65_536,
    durationMs: 1.05,
    ttfbMs: 0.0071234,
    cache: 'hit',
    scope: 'play',
    tls: '1.3',
    address: '192.0.2.1',
    isHead: false,
    isCut: true,
  } as const;
  test.equal(
    formatAccessLine(record, { client: '0123456789abcdef', cmcd: { br: 1 } }),
    `{"time":"2026-11-21T09:58:55.007Z","file":"${file}","ext":"mp4","status":206,"range":[0,65535],"sent":65536,` +
      '"ms":1.05,"ttfbMs":0.007,"cache":"hit","scope":"play","tls":"1.3","client":"0123456789abcdef","cut":true,' +
      '"cmcd":{"br":1}}\n',
  );
  const bare = { timeMs: 0, status: 400, sentBytes: 0, durationMs: 0, ttfbMs: 0, isHead: true, isCut: false };
  test.equal(
    formatAccessLine({ ...bare, address: undefined }, { client: undefined, cmcd: undefined }),
    '{"time":"1970-01-01T00:00:00.000Z","status":400,"sent":0,"ms":0,"ttfbMs":0,"head":true}\n',
  );
  test.end();
});
