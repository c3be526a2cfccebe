import t from 'tap';
import { Cookies } from '../../../steering/dns/cookies.ts';
import { SipHash } from '../../../steering/dns/sip-hash.ts';
import { address } from '../../support/steering-maps.ts';
import { createAsker, queryPacket, readReply } from '../../support/dns-zones.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
const nameOf = 'play.steer.nearcast.test';
const client = bytes('2464c4abcf10c957');

t.test('SipHash-2-4: the vectors of its authors', (t) => {
  const hash = new SipHash(Buffer.from(Array.from({ length: 16 }, (_, at) => at)));
  const input = Buffer.from(Array.from({ length: 64 }, (_, at) => at));
  const out = Buffer.alloc(8);
  // vectors_sip64 of the reference implementation: of 0, 1, 7, 8, 15 and 63 bytes.
  const vectors: Record<number, string> = {
    0: '310e0edd47db6f72',
    1: 'fd67dc93c539f874',
    7: '37d1018bf50002ab',
    8: '6224939a79f5f593',
    15: 'e545be4961ca29a1',
    63: '724506eb4c328a95',
  };
  for (const [length, expected] of Object.entries(vectors)) {
    hash.digest(input, Number(length), out);
    t.equal(out.toString('hex'), expected, `${length} bytes`);
  }
  t.end();
});

t.test('RFC 9018, appendix A', (t) => {
  const out = Buffer.alloc(8);
  const digest = (secret: string, input: string): string => {
    new SipHash(bytes(secret)).digest(bytes(input), input.length / 2, out);
    return out.toString('hex');
  };
  const first = 'e5e973e5a6b2a43f48e7dc849e37bfcf';
  const before = 'dd3bdf9344b678b185a6f5cb60fca715';
  const after = '445536bcd2513298075a5d379663c962';
  const overIpv6 = '20010db80220000159ded0f4876982b8';
  t.equal(digest(first, '2464c4abcf10c957' + '010000005cf79f11' + 'c6336464'), '1f8130c3eee29480', 'A.1');
  t.equal(digest(before, '22681ab97d52c298' + '010000005cf7c579' + overIpv6), '26556bd0934c72f8', 'A.4');
  t.equal(
    digest(after, '22681ab97d52c298' + '010000005cf7c609' + overIpv6),
    'a6bb79d16625507a',
    'A.4, the new secret',
  );
  t.end();
});

const withCookie = (cookie: Buffer) => queryPacket(nameOf, { cookie });
const cookieOf = (packet: Buffer | undefined): Buffer =>
  Buffer.from(readReply(packet ?? Buffer.alloc(12)).cookie ?? []);

t.test(
  'a cookie is given, good for its client and its hour, across days, and not ours where anything differs',
  (t) => {
    const cookies = new Cookies(Buffer.alloc(32, 7));
    const day = 24 * 3600;
    const resolver = address('192.0.2.53');
    const made = Buffer.alloc(24);
    t.equal(
      cookies.write(
        { bytes: client, at: 0 },
        { bytes: made, at: 0 },
        { client: resolver, nowS: 9 * day - 10 },
      ),
      24,
    );
    t.ok(made.subarray(0, 8).equals(client));
    const isValid = (cookie: Buffer, nowS: number, from = resolver) =>
      cookies.isValid({ bytes: cookie, at: 0, length: cookie.length }, { client: from, nowS });
    t.ok(isValid(made, 9 * day - 10));
    t.ok(isValid(made, 9 * day + 3590), 'the next day has another secret');
    t.notOk(isValid(made, 9 * day + 3591), 'older than an hour');
    t.ok(isValid(made, 9 * day - 310), 'our clock went back a little');
    t.notOk(isValid(made, 9 * day - 311));
    t.notOk(isValid(made, 9 * day, address('192.0.2.54')));
    for (let at = 0; at < made.length; at++) {
      const other = Buffer.from(made);
      other[at] = (other[at] ?? 0) ^ 1;
      t.notOk(isValid(other, 9 * day), `byte ${at}`);
    }
    t.notOk(isValid(made.subarray(0, 16), 9 * day));
    const elsewhere = new Cookies(Buffer.alloc(32, 8));
    t.notOk(elsewhere.isValid({ bytes: made, at: 0, length: 24 }, { client: resolver, nowS: 9 * day }));
    t.end();
  },
);

t.test(
  'in packets: the option comes back with ours; what is no cookie is FORMERR; one who only wants a cookie',
  (t) => {
    const ask = createAsker();
    const first = cookieOf(ask(withCookie(client)));
    t.equal(first.length, 24);
    t.ok(cookieOf(ask(withCookie(first))).equals(first), 'in the same second it is the same');
    t.equal(cookieOf(ask(withCookie(Buffer.concat([client, Buffer.alloc(8)])))).length, 24, 'a foreign one');
    for (const length of [0, 7, 9, 15, 41])
      t.match(
        readReply(ask(withCookie(Buffer.alloc(length))) ?? Buffer.alloc(12)),
        { rcode: 'FORMERR', cookie: undefined },
        `${length}`,
      );
    const whole = withCookie(client);
    const bare = Buffer.concat([whole.subarray(0, 12), whole.subarray(12 + nameOf.length + 2 + 4)]);
    bare.writeUInt16BE(0, 4);
    const reply = ask(bare);
    t.equal(cookieOf(reply).length, 24);
    t.match(readReply(reply ?? Buffer.alloc(12)), { rcode: 'NOERROR', answers: [], name: undefined });
    t.equal(readReply(ask(whole, '2001:db8::53') ?? Buffer.alloc(12)).cookie?.length, 24, 'over IPv6');
    t.end();
  },
);
