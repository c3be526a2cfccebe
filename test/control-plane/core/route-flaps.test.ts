import t from 'tap';

import { changedPrefixes, FlapBook } from '../../../control-plane/core/route-flaps.ts';
import { tableOf } from '../support/tell-routes.ts';

const minuteMs = 60_000;
const [calm, other] = [tableOf('10.0.0.0/8').table, tableOf('10.0.0.0/8', '11.0.0.0/8').table];
const many = tableOf(...Array.from({ length: 3000 }, (_, at) => `10.${at >> 8}.${at & 255}.0/24`)).table;
const toOther = changedPrefixes(calm, other);

t.test('what changes again and again within the hour flaps; after an hour it is forgotten', async (t) => {
  const book = new FlapBook();
  for (let minute = 0; minute < 40; minute += 10) {
    t.same(book.flapping(minute * minuteMs), []);
    book.note(minute % 20 === 0 ? toOther : changedPrefixes(other, calm), minute * minuteMs);
  }
  t.same(book.flapping(39 * minuteMs), [{ prefix: '11.0.0.0/8', changes: 4 }]);
  t.equal(book.tables(39 * minuteMs), 4);
  t.same(book.flapping(65 * minuteMs), [], 'the first half hour is gone');
  t.equal(book.tables(65 * minuteMs), 1);
  t.equal(book.tables(200 * minuteMs), 0);
});

t.test('of a change of everything some prefixes are looked at', async (t) => {
  const book = new FlapBook();
  for (let change = 0; change < 4; change++)
    book.note(change % 2 === 0 ? changedPrefixes(calm, many) : changedPrefixes(many, calm), change);
  t.equal(book.flapping(4).length, 1000);
});

t.test('what was stored goes on, in whichever half of the hour', async (t) => {
  t.same(new FlapBook().stored(), []);
  const book = new FlapBook();
  for (let change = 0; change < 4; change++) {
    const atMs = 1e12 + change * 15 * minuteMs;
    FlapBook.from(book.stored()).note(toOther, atMs);
    book.note(toOther, atMs);
    const again = FlapBook.from(book.stored());
    t.same(again.flapping(atMs), book.flapping(atMs));
    t.equal(again.tables(atMs), change + 1);
  }
  t.equal(FlapBook.from(book.stored()).tables(1e12 + 200 * minuteMs), 0);
});
