import t from 'tap';

import type { FillBundle, FillPopularity } from '../../../../control-plane/services/fill/ports.ts';
import { createSiteDemand } from '../../../../control-plane/services/fill/site-demand.ts';

function bundle(name: string, forecast?: FillBundle['forecast']): FillBundle {
  const files = [1000, 200].map((sizeBytes) => ({ file: `${name}-${sizeBytes}`, ext: 'mp4', sizeBytes }));
  return {
    bundle: name,
    name,
    pinned: false,
    urgent: false,
    files,
    ...(forecast !== undefined && { forecast }),
  };
}

function demandOf(viewers: FillPopularity, bundles: FillBundle[]): (file: string) => number {
  const demand = createSiteDemand({ popularityAt: () => viewers }, bundles, 0)('isp-a');
  return (file) => demand({ file });
}

const played = new Map([
  ['film-1000', 300],
  ['film-200', 100],
]);
const of = ({ file }: { file: string }): number => played.get(file) ?? 0;

t.test('sessions say how often a bundle is wanted, and what was played which of its files', async (t) => {
  const sessions = (name: string): number => (name === 'film' ? 10 : 1000);
  const demand = demandOf({ of, siteShare: 0.5, sessions }, [bundle('film'), bundle('fresh')]);
  t.ok(Math.abs(demand('film-1000') - 7.5) < 1e-9);
  t.ok(Math.abs(demand('film-200') - 2.5) < 1e-9);
  t.ok(Math.abs(demand('fresh-1000') - 750) < 1e-9, 'what nobody has played yet is played as others are');
  t.equal(demand('of no bundle'), 0);
});

t.test('where no session is known it is what was served, and forecasts', async (t) => {
  const forecast = { viewingsPerDay: 100, launchAtMs: 1000, renditions: 2 };
  const demand = demandOf({ of, siteShare: 0.5 }, [bundle('film'), bundle('fresh', forecast)]);
  t.equal(demand('film-1000'), 300);
  t.ok(demand('fresh-1000') > 25 && demand('fresh-1000') === demand('fresh-200'));
});

t.test('a file of two bundles is wanted for both', async (t) => {
  const one = bundle('film');
  const sessions = (): number => 10;
  const other = { ...bundle('cut'), files: one.files };
  const demand = demandOf({ of, siteShare: 0.5, sessions }, [one, other]);
  t.ok(Math.abs(demand('film-1000') - 15) < 1e-9);
});

/** A poster in two sizes, with as many files as a film has. */
function poster(name: string): FillBundle {
  return { ...bundle(name), isPicture: true };
}

t.test('pictures are wanted as often as they are looked at, and say nothing of what is played', async (t) => {
  const looks = new Map([
    ['poster-1000', 0],
    ['poster-200', 4900],
  ]);
  const seen = ({ file }: { file: string }): number => looks.get(file) ?? 0;
  const sessions = (name: string): number => (name === 'film' ? 10 : 1000);
  // Boxes of before have told of a hundred looks, as if it had been played.
  const told = (file: { file: string }): number => (file.file === 'poster-200' ? 100 : of(file));
  const viewers = { of: told, seen, siteShare: 0.5, sessions };
  const demand = demandOf(viewers, [bundle('film'), bundle('fresh'), poster('poster'), poster('unseen')]);
  const without = demandOf({ of, siteShare: 0.5, sessions }, [bundle('film'), bundle('fresh')]);
  for (const file of ['film-1000', 'film-200', 'fresh-1000', 'fresh-200'])
    t.equal(demand(file), without(file), `${file} is wanted as if there were no pictures`);
  // Of smoothed looks it is known how many a day they are: as many as a day and a half’s half-life makes of 5000.
  t.ok(Math.abs(demand('poster-200') - (5000 * Math.LN2) / 1.5) < 1e-9);
  t.equal(demand('poster-1000'), 0);
  t.equal(demand('unseen-200'), 0, 'no session is of a picture, however many are expected of a title');
  const served = demandOf({ of: told, seen, siteShare: 0.5 }, [bundle('film'), poster('poster')]);
  t.equal(served('poster-200'), 5000);
  t.equal(served('film-1000'), 300);
});

t.test('what was watched of a bundle of before is wanted of the one that takes its place', async (t) => {
  const fresh = { ...bundle('fresh'), succeeds: [bundle('film')] };
  const sessions = (name: string): number => (name === 'film' ? 10 : 0);
  const known = demandOf({ of, siteShare: 0.5, sessions }, [bundle('film'), fresh]);
  t.ok(Math.abs(known('fresh-1000') + known('fresh-200') - 10) < 1e-9);
  t.ok(Math.abs(known('film-1000') + known('film-200') - 10) < 1e-9, 'the old one is wanted yet');
  const served = demandOf({ of, siteShare: 0.5 }, [bundle('film'), fresh]);
  t.ok(Math.abs(served('fresh-1000') - (300 * 1000 + 100 * 200) / 1200) < 1e-9);
  t.equal(demandOf({ of, siteShare: 0.5 }, [bundle('fresh')])('fresh-1000'), 0);
});
