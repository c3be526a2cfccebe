import { createHmac } from 'node:crypto';
import t from 'tap';

import { DailyAddressKey, Pseudonyms } from '../../../appliance/records/address-key.ts';
import { createSeededChance } from '../../../common/runtime/chance.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';

void t.test('a key lives for a day of UTC and is overwritten then', async (test) => {
  const clock = createManualClock({ nowMs: Date.UTC(2026, 10, 21, 23, 58) });
  const keys: string[] = [];
  const daily = new DailyAddressKey({
    clock,
    chance: createSeededChance(1),
    onKey: (key) => keys.push(key.toString('hex')),
  });
  test.equal(daily.key, undefined);
  const end = new AbortController();
  const done = daily.run(end.signal);
  test.equal(keys.length, 1);
  const held = daily.key ?? Buffer.alloc(0);
  test.equal(held.toString('hex'), keys[0]);
  await clock.advance(119_000);
  test.equal(keys.length, 1);
  await clock.advance(2000);
  test.equal(keys.length, 2, 'midnight has passed');
  test.not(keys[1], keys[0]);
  test.equal(held.toString('hex'), keys[1], 'the old key is nowhere any more');
  clock.jumpWall(-7_200_000);
  await clock.advance(61_000);
  test.equal(keys.length, 3, 'a clock that was set back makes another day');
  end.abort();
  await done;
  test.ok(held.every((byte) => byte === 0));
  test.equal(daily.key, undefined);
});

void t.test('a pseudonym is one address, one day, and says neither', (test) => {
  const pseudonyms = new Pseudonyms();
  test.equal(pseudonyms.of('192.0.2.1'), undefined, 'no key yet');
  const key = Buffer.alloc(32, 7);
  pseudonyms.setKey(key);
  const bytes = Buffer.from('00000000000000000000ffffc0000201', 'hex');
  const expected = createHmac('sha256', key).update(bytes).digest('hex').slice(0, 16);
  test.equal(pseudonyms.of('192.0.2.1'), expected);
  test.equal(pseudonyms.of('::ffff:192.0.2.1'), expected, 'mapped');
  test.equal(pseudonyms.of('::FFFF:c000:201'), expected);
  test.not(pseudonyms.of('192.0.2.2'), expected);
  test.equal(pseudonyms.of('2001:db8::1'), pseudonyms.of('2001:DB8:0::1'));
  test.equal(pseudonyms.of('fe80::1%eth0'), pseudonyms.of('fe80::1'));
  test.equal(pseudonyms.of('somewhere'), undefined);
  key.fill(1);
  test.equal(pseudonyms.of('192.0.2.1'), expected, 'it has a copy');
  pseudonyms.setKey(key);
  test.not(pseudonyms.of('192.0.2.1'), expected, 'the next day');
  test.end();
});
