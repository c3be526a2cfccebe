import fc from 'fast-check';
import t from 'tap';

import { isSendable, prefixes } from '../../../../../control-plane/services/billing/core/public-address.ts';

t.test('public addresses, and those that are named', async (t) => {
  for (const address of ['8.8.8.8', '100.63.255.255', '172.32.0.1', '2606:4700::1111', '::ffff:8.8.8.8'])
    t.ok(isSendable(address, []), address);
  const refused = ['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.1.2.3', '169.254.169.254', '172.31.255.255'];
  const more = ['192.168.1.1', '224.0.0.1', '255.255.255.255', '::', '::1', 'fc00::1', 'fe80::1', 'ff02::1'];
  for (const address of [...refused, ...more, '2002:7f00:1::', '2001:0:1::', '64:ff9b::a00:1', '::127.0.0.1'])
    t.notOk(isSendable(address, []), address);
  for (const text of ['', 'localhost', '127.1', '0x7f000001', 'fe80::1%1', '10.0.0.0/8'])
    t.notOk(isSendable(text, prefixes(['0.0.0.0/0', '::/0'])), text);
  t.ok(isSendable('10.1.2.3', prefixes(['10.1.0.0/16'])));
  t.notOk(isSendable('10.2.2.3', prefixes(['10.1.0.0/16'])));
});

t.test('an IPv4 address is judged the same however it is written in IPv6', async () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => isSendable(address, []) === isSendable(`::ffff:${address}`, [])),
  );
});
