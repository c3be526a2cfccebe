import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import { readConfig } from '../../../appliance/config.ts';
import { TicketKeys } from '../../../appliance/engine/ticket-keys.ts';
import { TlsKeeper } from '../../../appliance/engine/tls-keeper.ts';
import { certificatesStamp, expiryReason, loadCertificates } from '../../../appliance/engine/tls-settings.ts';
import type { EngineTls } from '../../../appliance/engine/engine.ts';
import { reachableAt } from '../../../appliance/uplink/reachable-at.ts';
import { createSeededChance } from '../../../common/runtime/chance.ts';
import { createLog } from '../../../common/runtime/log.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';
import { makeCertificate, openssl } from '../../support/certificates.ts';

const dayMs = 24 * 60 * 60 * 1000;
// Later than any certificate that is made below begins.
const nowMs = Date.now() + 60_000;
const made = await temporaryDirectory(t);
const authority = await makeCertificate(made, { file: 'ca', hosts: ['ca'], isAuthority: true });
const box = await makeCertificate(made, {
  file: 'box',
  hosts: ['Box.example.org', '*.cdn.example.org', '192.0.2.1', '2001:db8::1'],
  issuer: authority,
});
const other = await makeCertificate(made, { file: 'other', hosts: ['other.example.org'] });

void t.test('a certificate is read with its names, addresses, chain and time', async (test) => {
  const [read, ...more] = await loadCertificates(box, nowMs);
  test.same(more, []);
  test.same(read?.names, ['box.example.org', '*.cdn.example.org']);
  test.same(read?.addresses, ['192.0.2.1', '2001:db8::1']);
  test.equal(read?.chainPem.match(/BEGIN/g)?.length, 2);
  test.ok(Math.abs((read?.notAfterMs ?? 0) - nowMs - 90 * dayMs) < dayMs);
});

void t.test('a directory adds to the pair, in the order of its names', async (test) => {
  const dir = await temporaryDirectory(test);
  for (const [name, from] of Object.entries({ b: other, a: box })) {
    await copyFile(from.certFile, join(dir, `${name}.crt`));
    await copyFile(from.keyFile, join(dir, `${name}.key`));
  }
  const paths = async (files: Parameters<typeof loadCertificates>[0]) =>
    (await loadCertificates(files, nowMs)).map(({ path }) => path);
  test.same(await paths({ dir }), [join(dir, 'a.crt'), join(dir, 'b.crt')]);
  test.same(await paths({ ...other, dir }), [other.certFile, join(dir, 'a.crt'), join(dir, 'b.crt')]);
  await rm(join(dir, 'b.key'));
  await test.rejects(paths({ dir }), {
    code: 'TLS_CERTIFICATE_INVALID',
    message: /b\.key: there is no such file/,
  });
});

void t.test('what cannot be served is refused, with the file and what is wrong', async (test) => {
  const dir = await temporaryDirectory(test);
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(dir, name), text);
    return join(dir, name);
  };
  const ofBox = { certFile: box.certFile, keyFile: box.keyFile };
  const [leaf = '', root = ''] = box.cert.split(/(?<=-----END CERTIFICATE-----\n)/);
  const weak = await makeCertificate(dir, { file: 'weak', hosts: ['weak.test'], rsaBits: 1024 });
  await openssl([
    'pkey',
    '-in',
    box.keyFile,
    '-aes256',
    '-passout',
    'pass:secret',
    '-out',
    join(dir, 'locked.key'),
  ]);
  const cases: [object, RegExp][] = [
    [{ certFile: join(dir, 'none.crt') }, /none\.crt: there is no such file/],
    [{ certFile: await file('text.crt', 'hello') }, /text\.crt: no PEM certificate is in it/],
    [
      { certFile: await file('bad.crt', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n') },
      /bad\.crt: /,
    ],
    [{ certFile: await file('large.crt', 'x'.repeat(300_000)) }, /large\.crt: larger than/],
    [{ keyFile: await file('text.key', 'hello') }, /text\.key: no PEM key without a password is in it/],
    [{ keyFile: join(dir, 'locked.key') }, /locked\.key: no PEM key without a password/],
    [{ keyFile: other.keyFile }, /other\.key: this is not the key of .*box\.crt/],
    [
      { certFile: await file('order.crt', leaf + other.cert + root) },
      /order\.crt: certificate 2 of the chain did not issue the one before/,
    ],
    [weak, /weak\.crt: .*key too small/],
    [{ certFile: dir }, /: this is not a file/],
  ];
  for (const [change, message] of cases) {
    await test.rejects(loadCertificates({ ...ofBox, ...change }, nowMs), {
      code: 'TLS_CERTIFICATE_INVALID',
      message,
    });
  }
  await test.rejects(loadCertificates({ dir: join(dir, 'none') }, nowMs), {
    code: 'TLS_CERTIFICATE_INVALID',
  });
  await mkdir(join(dir, 'empty'));
  await test.rejects(loadCertificates({ dir: join(dir, 'empty') }, nowMs), { message: /holds no NAME\.crt/ });
  await test.rejects(loadCertificates(ofBox, nowMs + 91 * dayMs), { code: 'TLS_CERTIFICATE_EXPIRED' });
  await test.rejects(loadCertificates(ofBox, nowMs - dayMs), { message: /valid only from .* by the clock/ });
});

void t.test('14 days before the end it is said, and afterwards too', (test) => {
  const those = [{ notAfterMs: 100 * dayMs }, { notAfterMs: 50 * dayMs }];
  test.equal(expiryReason(those, 35 * dayMs), undefined);
  test.equal(expiryReason(those, 37 * dayMs), 'TLS_CERTIFICATE_EXPIRES');
  test.equal(expiryReason(those, 50 * dayMs), 'TLS_CERTIFICATE_EXPIRED');
  test.end();
});

void t.test('new files come into force; wrong ones change nothing but what is said', async (test) => {
  const dir = await temporaryDirectory(test);
  const files = { certFile: join(dir, 'x.crt'), keyFile: join(dir, 'x.key') };
  const put = async (from: typeof box, key = from.keyFile): Promise<void> => {
    await writeFile(files.certFile, await readFile(from.certFile));
    await writeFile(files.keyFile, await readFile(key));
  };
  await put(box);
  const given: EngineTls[] = [];
  const keys: (readonly Buffer[])[] = [];
  const lines: string[] = [];
  const clock = createManualClock({ nowMs });
  const keeper = new TlsKeeper({
    files,
    h2: true,
    serving: { setTls: (tls) => given.push(tls), setTicketKeys: (all) => keys.push(all) },
    clock,
    chance: createSeededChance(1),
    log: createLog({ name: 'x', write: (line) => lines.push(line) }),
  });
  await keeper.load();
  test.same(given.at(-1), {
    certificates: [
      { names: ['box.example.org', '*.cdn.example.org'], chainPem: box.cert.trim() + '\n', keyPem: box.key },
    ],
    h2: true,
  });
  test.equal(keys.length, 1);
  test.same(keeper.certificate.addresses, ['192.0.2.1', '2001:db8::1']);

  await keeper.check();
  test.equal(given.length, 1, 'nothing has changed');

  await put(other, box.keyFile);
  await keeper.check();
  await keeper.check();
  test.equal(given.length, 1);
  test.same(keeper.reasons(), ['TLS_CERTIFICATE_INVALID']);
  test.equal(lines.length, 1, 'said once');
  test.match(lines[0], /the old ones stay/);
  test.notMatch(lines.join(''), /PRIVATE/);

  await rm(files.keyFile);
  await keeper.check();
  test.same(keeper.reasons(), ['TLS_CERTIFICATE_INVALID']);

  await put(other);
  const abort = new AbortController();
  const running = keeper.run(abort.signal);
  await clock.advance(9_999);
  test.equal(given.length, 1);
  await clock.advance(1);
  // Files are read in real time.
  while (given.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  test.same(given[1]?.certificates[0]?.names, ['other.example.org']);
  test.same(keeper.reasons(), []);

  abort.abort();
  await running;
  await clock.advance(80 * dayMs);
  await keeper.check();
  await keeper.check();
  test.same(keeper.reasons(), ['TLS_CERTIFICATE_EXPIRES']);
  test.equal(lines.filter((line) => line.includes('TLS_CERTIFICATE_EXPIRES')).length, 1);
  test.equal(keys.length, 2, 'and new ticket keys');
  await clock.advance(11 * dayMs);
  test.same(keeper.reasons(), ['TLS_CERTIFICATE_EXPIRED']);
});

void t.test('a stamp changes with each file, and with a file that comes or goes', async (test) => {
  const dir = await temporaryDirectory(test);
  const stamps = new Set<string>();
  const note = async (): Promise<void> => void stamps.add(await certificatesStamp({ dir }));
  await note();
  await writeFile(join(dir, 'a.crt'), 'x');
  await note();
  await writeFile(join(dir, 'a.key'), 'x');
  await note();
  await writeFile(join(dir, 'a.key'), 'xy');
  await note();
  await writeFile(join(dir, 'b.crt'), 'x');
  await note();
  await rm(join(dir, 'a.crt'));
  await note();
  test.equal(stamps.size, 6);
  test.equal(await certificatesStamp({ dir: join(dir, 'none') }), '');
});

void t.test('ticket keys: a new one every 12 hours, three of them, 80 bytes each', async (test) => {
  const clock = createManualClock();
  const keys = new TicketKeys({ clock, chance: createSeededChance(2) });
  const [first] = keys.keys;
  test.equal(first?.length, 80);
  test.notOk(keys.rotate());
  await clock.advance(dayMs / 2 - 1);
  test.notOk(keys.rotate());
  await clock.advance(1);
  test.ok(keys.rotate());
  test.notOk(keys.rotate());
  test.equal(keys.keys.length, 2);
  test.equal(keys.keys[1], first);
  await clock.advance(dayMs);
  test.ok(keys.rotate());
  test.equal(keys.keys[2], first, 'good for 24 hours at least');
  await clock.advance(dayMs / 2);
  test.ok(keys.rotate());
  test.equal(keys.keys.length, 3);
  test.notOk(keys.keys.includes(first ?? Buffer.alloc(0)));
  test.equal(new Set(keys.keys.map((key) => key.toString('hex'))).size, 3);
});

void t.test('a box with TLS is reached by https, under what its certificate is for', (test) => {
  const bound = { host: '192.0.2.7', port: 443 };
  const at = (names: string[], addresses: string[] = [], publicUrl?: string): string =>
    reachableAt(bound, { publicUrl, addresses: [], certificate: { names, addresses } }).url;
  test.equal(at(['*.cdn.test', 'box.test', 'more.test']), 'https://box.test:443');
  test.equal(at(['box.test'], ['192.0.2.7']), 'https://192.0.2.7:443');
  test.equal(at(['box.test'], ['192.0.2.8']), 'https://box.test:443');
  test.equal(at(['*.cdn.test'], [], 'https://a.cdn.test'), 'https://a.cdn.test');
  test.throws(() => at(['*.cdn.test']), { code: 'CONFIG_INVALID', message: /set --public-url/ });
  test.end();
});

void t.test('options that do not go together are refused', (test) => {
  const read = (...argv: string[]) => readConfig(['--control-url', 'https://control.test', ...argv], {});
  const pair = ['--tls-cert-file', 'x.crt', '--tls-key-file', 'x.key'];
  test.same(read(...pair, '--h2').tls, { auto: false, certFile: 'x.crt', keyFile: 'x.key' });
  test.same(read().tls, { auto: false });
  test.throws(() => read(...pair, '--tls-auto'), { message: /--tls-auto or --tls-cert-file, not both/ });
  test.ok(read('--tls-auto', '--h2'));
  test.throws(() => read('--tls-cert-file', 'x.crt'), { message: /needs both/ });
  test.throws(() => read('--h2'), { message: /needs TLS/ });
  test.throws(() => read(...pair, '--public-url', 'http://box.test'), { message: /begin with https/ });
  test.ok(read('--public-url', 'https://box.test'), 'behind a proxy that speaks TLS');
  test.end();
});
