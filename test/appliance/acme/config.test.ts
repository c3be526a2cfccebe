import t from 'tap';

import { readConfig } from '../../../appliance/config.ts';

const authority = ['--control-url', 'http://127.0.0.1:1', '--acme-directory', 'https://acme.test/dir'];

t.test('what an authority needs is asked for by name', async (t) => {
  const cases: [string[], RegExp][] = [
    [['--acme-terms-agreed'], /--acme-directory needs --acme-zone/],
    [['--acme-zone', 'steer.test'], /needs --acme-terms-agreed/],
    [
      ['--acme-terms-agreed', '--acme-zone', 'steer.test', '--tls-cert-file', 'a', '--tls-key-file', 'b'],
      /--acme-directory or --tls-cert-file, not both/,
    ],
    [['--acme-terms-agreed', '--acme-zone', 'Steer_Test.'], /acme-zone/],
    [['--acme-terms-agreed', '--acme-zone', 'steer.test', '--acme-contact', 'nobody'], /acme-contact/],
    [
      ['--acme-terms-agreed', '--acme-zone', 'steer.test', '--public-url', 'http://box.test'],
      /must begin with https/,
    ],
  ];
  for (const [more, message] of cases)
    t.throws(() => readConfig([...authority, ...more], {}), { code: 'CONFIG_INVALID', message });
  const { acme } = readConfig([...authority, '--acme-terms-agreed', '--acme-zone', 'steer.test'], {});
  t.match(acme, { zone: 'steer.test', termsAgreed: true });
});
