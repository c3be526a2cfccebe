import fc from 'fast-check';
import t from 'tap';
import { formatAddress } from '../../../common/core/ip-address.ts';
import { createClientAddressOf, parseProxy } from '../../../common/runtime/client-address.ts';

const proxies = ['10.0.0.0/8', '127.0.0.1', '2001:db8::/32']
  .map(parseProxy)
  .filter((proxy) => proxy !== undefined);
const clientAddressOf = createClientAddressOf(proxies);
const of = (remoteAddress: string, forwardedFor?: string | string[]): string | undefined => {
  const address = clientAddressOf({ remoteAddress, forwardedFor });
  return address && formatAddress(address);
};

t.test('X-Forwarded-For counts only from a trusted proxy, and only its last foreign hop', (t) => {
  t.equal(of('198.51.100.1'), '198.51.100.1');
  t.equal(of('198.51.100.1', '203.0.113.9'), '198.51.100.1', 'spoofed by a client');
  t.equal(of('127.0.0.1', '203.0.113.9'), '203.0.113.9');
  t.equal(of('::ffff:127.0.0.1', '203.0.113.9'), '203.0.113.9', 'a mapped socket address');
  t.equal(of('127.0.0.1', '1.1.1.1, 203.0.113.9, 10.0.0.7'), '203.0.113.9');
  t.equal(of('127.0.0.1', ['1.1.1.1', '203.0.113.9']), '203.0.113.9');
  t.equal(of('2001:db8::5', '[2001:dead::1]:443'), '2001:dead::1');
  t.equal(of('10.0.0.1', '203.0.113.9:5000'), '203.0.113.9');
  t.equal(of('127.0.0.1', 'unknown'), '127.0.0.1');
  t.equal(of('127.0.0.1', ''), '127.0.0.1');
  t.equal(of('127.0.0.1', ','), '127.0.0.1');
  t.equal(of('127.0.0.1', '10.0.0.8, 10.0.0.7'), '10.0.0.8', 'only proxies');
  t.equal(of('127.0.0.1', ',10.0.0.7'), '10.0.0.7', 'nothing before them');
  t.equal(of('127.0.0.1'), '127.0.0.1');
  t.equal(of('fe80::1%eth0'), 'fe80::1');
  t.equal(clientAddressOf({ remoteAddress: undefined, forwardedFor: '1.1.1.1' }), undefined);
  for (const bad of ['10.0.0.1/8', 'x', '10.0.0.0/33', '']) t.equal(parseProxy(bad), undefined, bad);
  t.end();
});

t.test('whatever a client sends, its own address is found behind the proxy', (t) => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.ipV4().filter((ip) => !/^(?:10|127)\./.test(ip)),
      (junk, client) => {
        return of('127.0.0.1', `${junk},${client}`) === client;
      },
    ),
  );
  t.end();
});
