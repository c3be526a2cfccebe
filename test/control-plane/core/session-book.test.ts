import t from 'tap';

import { seededRandom, pick } from '../../support/seeded.ts';
import { SessionBook } from '../../../control-plane/core/session-book.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const everybodys = ['a', 'b', 'c', 'd'];

/** A day of sessions at two sites, half of them of what everybody watches; at `one` the others are of `local`. */
function fill(book: SessionBook, { sessions = 4000, fromMs = 0 } = {}): number {
  const random = seededRandom(1);
  let atMs = fromMs;
  for (let session = 0; session < sessions; session++) {
    atMs = fromMs + (session * dayMs) / sessions;
    const site = session % 2 === 0 ? 'one' : 'two';
    const rare = site === 'one' ? 'local' : `rare-${pick(random, 300)}`;
    book.begin({ site, bundle: random() < 0.5 ? everybodys[pick(random, 4)]! : rare, atMs });
  }
  return atMs;
}

t.test('a site is expected to watch what it watches, held or not', async (t) => {
  const book = new SessionBook({ beliefsMax: 10_000 });
  t.equal(book.at('one', 0), undefined);
  const nowMs = fill(book);
  const one = book.at('one', nowMs)!;
  const two = book.at('two', nowMs)!;
  const near = (value: number, expected: number, what: string): void => {
    t.ok(value > 0.5 * expected && value < 1.6 * expected, `${what}: ${value} of ${expected}`);
  };
  const total = (of: typeof one): number =>
    [...everybodys, 'local', ...Array.from({ length: 300 }, (_, rare) => `rare-${rare}`)].reduce(
      (sum, bundle) => sum + of(bundle, undefined),
      0,
    );
  // Of each site's expected sessions the shares that it was given.
  near(one('local', undefined) / total(one), 0.5, 'its own favourite');
  near(one('a', undefined) / total(one), 0.125, "everybody's");
  near(two('a', undefined) / total(two), 0.125, "everybody's elsewhere");
  t.ok(two('local', undefined) < 0.7 * one('local', undefined), 'less where nobody has asked for it');
  t.ok(one('unheard', undefined) < 0.01 * one('a', undefined));
  t.equal(book.at('elsewhere', nowMs), undefined);
});

t.test('a launch is expected as its forecast says until its viewers tell', async (t) => {
  const book = new SessionBook({ beliefsMax: 10_000 });
  const nowMs = fill(book);
  const forecast = { viewingsPerDay: 400, launchAtMs: nowMs + hourMs };
  const before = book.at('one', nowMs)!;
  t.ok(before('launch', forecast) > 5 * before('launch', undefined));
  t.ok(before('launch', forecast) < 5 * before('a', undefined));
  const late = fill(book, { fromMs: nowMs + dayMs });
  const after = book.at('one', late)!;
  t.ok(after('launch', forecast) < 0.3 * before('launch', forecast), 'nobody came');
  t.equal(after('never', { viewingsPerDay: 0, launchAtMs: -10 * dayMs }), after('never', undefined));
});

t.test('a new site is expected to watch what its country does', async (t) => {
  const book = new SessionBook({ beliefsMax: 10_000 });
  const random = seededRandom(1);
  let atMs = 0;
  for (let session = 0; session < 4000; session++) {
    atMs = (session * dayMs) / 4000;
    const region = ['DE', 'JP', undefined][session % 3];
    const own = region === undefined ? `rare-${pick(random, 300)}` : `of-${region}-${pick(random, 4)}`;
    // Wherever there is no site, too.
    const site = session % 2 === 0 ? undefined : `old-${region ?? 'any'}`;
    book.begin({ site, region, bundle: random() < 0.5 ? everybodys[pick(random, 4)]! : own, atMs });
  }
  for (let session = 0; session < 9; session++) {
    book.begin({ site: 'new', region: session % 4 === 3 ? 'DE' : 'JP', bundle: `rare-${session}`, atMs });
    book.begin({ site: 'nowhere', bundle: `rare-${session}`, atMs });
  }
  const of = (want: ReturnType<typeof book.at>, country: string): number =>
    [0, 1, 2, 3].reduce((sum, one) => sum + want!(`of-${country}-${one}`, undefined), 0);
  const want = book.at('new', atMs)!;
  t.ok(of(want, 'JP') > 1.5 * of(want, 'DE'));
  const somewhere = book.at('nowhere', atMs);
  const ratio = of(somewhere, 'JP') / of(somewhere, 'DE');
  t.ok(ratio > 0.8 && ratio < 1.25, `of a site that is nobody knows where, everybody is asked: ${ratio}`);
  t.ok(want('b', undefined) > want('of-DE-1', undefined), "everybody's is wanted there too");
});

t.test('a site that has moved is where its viewers are', async (t) => {
  const book = new SessionBook({ beliefsMax: 10_000 });
  const begin = (region: string, sessions: number) => {
    let last: string | undefined;
    for (let session = 0; session < sessions; session++)
      for (const { place, sessions: counted } of book.begin({ site: 'one', region, bundle: 'a', atMs: 0 }))
        if (place === 'one') last = counted.region?.name;
    return last;
  };
  t.equal(begin('DE', 5000), 'DE');
  t.equal(begin('JP', 900), 'DE', 'some are from elsewhere');
  t.equal(begin('JP', 200), 'JP');
});

t.test('what was learned is put back', async (t) => {
  const book = new SessionBook({ beliefsMax: 10_000 });
  const again = new SessionBook({ beliefsMax: 10_000 });
  for (let session = 0; session < 50; session++) {
    const begun = { site: 'one', region: 'DE', bundle: everybodys[session % 4]!, atMs: session * hourMs };
    for (const { place, sessions, bundle, belief } of book.begin(begun)) {
      again.restorePlace(place, sessions);
      again.restoreBelief(place, bundle, belief!);
    }
  }
  t.equal(again.at('one', dayMs)!('a', undefined), book.at('one', dayMs)!('a', undefined));
});

t.test('only so many titles are learned, and sessions of unknown sites count for everybody', async (t) => {
  const book = new SessionBook({ beliefsMax: 2 });
  t.equal(book.begin({ site: undefined, bundle: 'a', atMs: 0 }).length, 1);
  t.match(book.begin({ site: 'one', bundle: 'a', atMs: 1 }), [{ place: '' }, { place: 'one' }]);
  const full = book.begin({ site: 'one', bundle: 'b', atMs: 2 });
  t.match(full, [
    { belief: undefined, sessions: { sessions: 3 } },
    { belief: undefined, sessions: { sessions: 2 } },
  ]);
});

t.test('shares are those of one moment for ten minutes', async (t) => {
  const book = new SessionBook({ beliefsMax: 10_000 });
  const nowMs = fill(book);
  const before = book.at('one', nowMs)!;
  const share = before('a', undefined) / before('local', undefined);
  for (let session = 0; session < 500; session++)
    book.begin({ site: 'one', bundle: 'local', atMs: nowMs + session });
  const soon = book.at('one', nowMs + 0.1 * hourMs)!;
  t.ok(Math.abs(soon('a', undefined) / soon('local', undefined) / share - 1) < 1e-9);
  const later = book.at('one', nowMs + 0.2 * hourMs)!;
  t.ok(later('a', undefined) / later('local', undefined) < share);
});
