import t from 'tap';

import type { BirdProtocol } from '../../../../appliance/core/routes/bird-protocols.ts';
import { SessionBook } from '../../../../appliance/core/routes/session-book.ts';
import { tableOf } from '../../../control-plane/support/tell-routes.ts';
import { listRoutes } from '../../../../control-plane/core/route-rows.ts';

const up = (name: string, counters = '1'): BirdProtocol => ({
  name,
  kind: 'BGP',
  isUp: true,
  info: 'Established',
  counters,
});
const down = (name: string): BirdProtocol => ({ name, kind: 'BGP', isUp: false, info: 'Idle', counters: '' });
const prefixesOf = (book: SessionBook): string[] => listRoutes(book.routes()).map(({ prefix }) => prefix);

function read(book: SessionBook, tables: Record<string, string[]>): void {
  const named = Object.entries(tables).map(([name, prefixes]) => [name, tableOf(...prefixes).table] as const);
  book.took(new Map(named), book.state);
}

t.test('it is read when counters move, and a lost session takes its routes along at once', async (t) => {
  const book = new SessionBook({ restartMs: 0 });
  t.equal(book.look([up('a'), down('b')], 0), false);
  t.same([book.readWanted, book.upNames, book.downNotes], [true, ['a'], ['b: Idle']]);
  read(book, { a: ['10.0.0.0/8'] });
  t.equal(book.readWanted, false);
  book.look([up('a', '2'), up('b')], 500);
  t.equal(book.readWanted, true);
  read(book, { a: ['10.0.0.0/8', '11.0.0.0/8'], b: ['12.0.0.0/8'] });
  t.same(prefixesOf(book), ['10.0.0.0/8', '11.0.0.0/8', '12.0.0.0/8']);
  t.equal(book.look([down('a'), up('b')], 1000), true);
  t.same(prefixesOf(book), ['12.0.0.0/8']);
  t.equal(book.readWanted, true, 'what the other had less preferred may count now');
  t.equal(
    book.look([up('b')], 1500),
    false,
    'a session that was taken out of the configuration had nothing left',
  );
  t.equal(book.loseAll(2000), true);
  t.same(prefixesOf(book), []);
});

t.test('a daemon that was away for a moment is read again, though its counters are the same', async (t) => {
  const book = new SessionBook({ restartMs: 0 });
  book.look([up('a')], 0);
  read(book, { a: ['10.0.0.0/8'] });
  book.loseAll(500);
  book.look([up('a')], 1000);
  t.equal(book.readWanted, true);
});

t.test('with a graceful restart routes stay until they were told anew, or for so long', async (t) => {
  const book = new SessionBook({ restartMs: 10_000 });
  book.look([up('a')], 0);
  read(book, { a: ['10.0.0.0/8', '11.0.0.0/8'] });
  book.look([down('a')], 1000);
  t.equal(prefixesOf(book).length, 2);
  // Back, and telling.
  book.look([up('a', '1 of 2')], 2000);
  read(book, { a: ['12.0.0.0/8'] });
  t.same(prefixesOf(book), ['10.0.0.0/8', '11.0.0.0/8', '12.0.0.0/8']);
  book.look([up('a', '2 of 2')], 2500);
  read(book, { a: ['12.0.0.0/8', '10.0.0.0/8'] });
  t.equal(book.look([up('a', '2 of 2')], 3000), false);
  t.equal(book.look([up('a', '2 of 2')], 3500), true, 'it has told what it has');
  t.same(prefixesOf(book), ['10.0.0.0/8', '12.0.0.0/8']);

  // Lost again before it was done: what it had at first is kept, and no longer for that.
  book.look([down('a')], 20_000);
  book.look([up('a', '0')], 21_000);
  read(book, { a: ['13.0.0.0/8'] });
  book.look([down('a')], 22_000);
  t.same(prefixesOf(book), ['10.0.0.0/8', '12.0.0.0/8']);
  t.equal(book.look([down('a')], 29_999), false);
  t.equal(book.look([down('a')], 30_000), true);
  t.same(prefixesOf(book), []);
});

t.test(
  'of two sessions with one prefix the better route counts; what was read of a lost one does not',
  async (t) => {
    const book = new SessionBook({ restartMs: 0 });
    book.look([up('a'), up('b')], 0);
    const { state } = book;
    const of = (asPathLength: number) => tableOf({ prefix: '10.0.0.0/8', asPathLength }).table;
    book.took(new Map([['a', of(3)], ['b', of(1)]]), state); // prettier-ignore
    t.equal(listRoutes(book.routes())[0]?.asPathLength, 1);
    book.look([up('a'), down('b')], 500);
    book.took(new Map([['a', of(3)], ['b', of(1)]]), state); // prettier-ignore
    t.equal(listRoutes(book.routes())[0]?.asPathLength, 3);
  },
);
