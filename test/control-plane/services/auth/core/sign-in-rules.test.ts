import fc from 'fast-check';
import t from 'tap';
import { customerOf, networkOf } from '../../../../../control-plane/services/auth/core/client-network.ts';
import { DevicePolls, pollIntervalMs } from '../../../../../control-plane/services/auth/core/device-polls.ts';
import { checkRedirectUri } from '../../../../../control-plane/services/auth/core/redirect-uri.ts';
import {
  extendChain,
  judgeRefresh,
  refreshGraceMs,
  type RefreshChain,
} from '../../../../../control-plane/services/auth/core/refresh-chain.ts';
import { SignInThrottle } from '../../../../../control-plane/core/sign-in-throttle.ts';

t.test(
  'a chain of refresh tokens: the newest, for a moment its predecessor, nothing older, ever',
  async (t) => {
    let chain: RefreshChain | undefined;
    t.equal(judgeRefresh(chain, { number: 0, nowMs: 0 }), 'reused', 'of a chain that is not there');
    chain = extendChain(chain, { number: 0, nowMs: 0 });
    chain = extendChain(chain, { number: 1, nowMs: 1000 });
    const judge = (number: number, nowMs: number) => judgeRefresh(chain, { number, nowMs });
    t.equal(judge(1, 1e9), 'good');
    t.equal(judge(0, 1000 + refreshGraceMs), 'good');
    t.equal(judge(0, 1001 + refreshGraceMs), 'reused');
    t.equal(judge(0, 1000 - refreshGraceMs), 'good', 'a clock that went back a little');
    t.equal(judge(0, 999 - refreshGraceMs), 'reused');
    chain = extendChain(chain, { number: 1, nowMs: 5000 });
    t.equal(chain.sinceMs, 1000, 'a sibling does not begin the grace anew');
    chain = extendChain(chain, { number: 2, nowMs: 2000 });
    t.equal(judge(0, 2000), 'reused', 'two behind');

    fc.assert(
      fc.property(fc.array(fc.nat({ max: 20_000 }), { minLength: 3, maxLength: 20 }), (gaps) => {
        let now = 0;
        let held: RefreshChain | undefined;
        for (const [number, gap] of gaps.entries()) {
          now += gap;
          held = extendChain(held, { number, nowMs: now });
          for (let older = 0; older < number - 1; older++)
            t.equal(judgeRefresh(held, { number: older, nowMs: now }), 'reused');
        }
      }),
      { numRuns: 20 },
    );
  },
);

t.test('devices that ask too often wait longer each time', async (t) => {
  const polls = new DevicePolls();
  t.equal(polls.take('a', 0), 'go on');
  t.equal(polls.take('b', 1), 'go on', 'codes do not disturb one another');
  t.equal(polls.take('a', pollIntervalMs), 'go on');
  t.equal(polls.take('a', pollIntervalMs + 1), 'slow down');
  t.equal(polls.take('a', 2 * pollIntervalMs + 1), 'slow down', 'ten seconds by now');
  t.equal(polls.take('a', 5 * pollIntervalMs + 1), 'go on');
});

t.test('tries under a key wait longer and longer, and are forgotten', async (t) => {
  const throttle = new SignInThrottle();
  for (let tries = 0; tries < 5; tries++) t.equal(throttle.begin('k', 0), 0);
  t.equal(throttle.begin('k', 0), 1000);
  t.equal(throttle.begin('other', 0), 0);
  t.equal(throttle.begin('k', 1000), 0);
  t.equal(throttle.begin('k', 1000), 2000);
  let nowMs = 3000;
  for (let tries = 0; tries < 20; tries++) nowMs += throttle.begin('k', nowMs);
  t.equal(throttle.begin('k', nowMs - 1) <= 15 * 60_000, true, 'a quarter of an hour at most');
  t.equal(throttle.begin('k', nowMs + 3_600_001), 0);
  throttle.succeed('k');
  t.equal(throttle.begin('k', nowMs + 3_600_001), 0);
});

t.test('who signs in between guesses does not make them be forgotten', async (t) => {
  const throttle = new SignInThrottle();
  for (let guesses = 0; guesses < 5; guesses++) {
    t.equal(throttle.begin('network', 0), 0);
    if (throttle.begin('network', 0) === 0) throttle.takeBack('network');
  }
  t.equal(throttle.begin('network', 0), 1000);
  throttle.takeBack('never seen');
  t.equal(throttle.begin('never seen', 0), 0);
});

t.test('a customer is an address of IPv4, or the first three groups of one of IPv6', async (t) => {
  t.equal(customerOf('::ffff:198.51.100.7'), '198.51.100.7');
  t.equal(customerOf('2001:db8:1:2::1'), customerOf('2001:0DB8:1:ffff:1::2'));
  t.not(customerOf('2001:db8:1::1'), customerOf('2001:db8:2::1'));
});

t.test('a network is an address of IPv4, or the first half of one of IPv6', async (t) => {
  t.equal(networkOf('198.51.100.7'), '198.51.100.7');
  t.equal(networkOf('::ffff:198.51.100.7'), '198.51.100.7');
  t.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2');
  t.equal(networkOf('2001:DB8::1'), '2001:db8:0:0');
  t.equal(networkOf('2001:db8:0:0::9'), '2001:db8:0:0');
  t.equal(networkOf('::1'), '0:0:0:0');
});

t.test(
  'an address that passes is read alike by everybody, and leads to https, loopback or an app',
  async (t) => {
    fc.assert(
      fc.property(
        fc.oneof(fc.webUrl({ withQueryParameters: true, withFragments: true }), fc.string()),
        (text) => {
          if (!checkRedirectUri(text).ok) return;
          const url = new URL(text);
          t.ok(url.href === text || url.href === `${text}/`, text);
          t.notMatch(text, /[\s#\\@*]/u);
          t.ok(url.protocol === 'https:' || url.hostname === '127.0.0.1' || url.protocol.includes('.'), text);
        },
      ),
    );
    for (const good of [
      'https://app.example/cb',
      'http://127.0.0.1:8080/',
      'http://[::1]/cb',
      'com.example.app:/cb',
    ])
      t.ok(checkRedirectUri(good).ok, good);
  },
);
