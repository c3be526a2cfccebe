import t from 'tap';
import {
  emptyPlan,
  planFill,
  type FillPlan,
  type FillPlanSettings,
} from '../../../../control-plane/services/fill/plan.ts';
import type { FillBundle, FillCatalog, FillNode } from '../../../../control-plane/services/fill/ports.ts';
import { fileNamed } from '../../support/sample-bundle.ts';

const settings: FillPlanSettings = {
  ...{ reserveFraction: 0, copiesMin: 1, keepBonus: 0.5, ladderWorth: 1, leftMax: 1000 },
  lostAfterMs: 900_000,
};
const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 0, 1);

function film(name: string, pinned = false): FillBundle {
  const files = [
    { file: fileNamed(name), ext: 'json', sizeBytes: 1 },
    { file: fileNamed(`${name} video`), ext: 'mp4', sizeBytes: 99 },
  ];
  return { bundle: fileNamed(name), name, pinned, urgent: false, files };
}

const films = ['a', 'b', 'c', 'd'].map((name) => film(name));

/** Films, each half as popular as the one before; `fade` is what time leaves of it. */
function catalogOf(bundles: readonly FillBundle[], fade = 1): FillCatalog {
  const rates = new Map(
    bundles.flatMap(({ files }, index) => files.map(({ file }) => [file, 2 ** -index * fade] as const)),
  );
  return {
    bundles: () => bundles,
    popularityAt: () => ({ of: ({ file }) => rates.get(file) ?? 0, siteShare: 0.5 }),
  };
}

function box(id: string, held: Iterable<string> = []): FillNode {
  return {
    ...{
      id,
      role: 'appliance',
      site: 'isp',
      cluster: 'isp',
      enrolledAtMs: 0,
      state: 'ready',
      stateReason: '',
    },
    ...{ lostMs: undefined, url: undefined, capacityBytes: 1000, held: new Set(held), holdingsVersion: 0 },
    ...{ mayFetch: false, mayRedirect: false },
  };
}

function namesOf(plan: FillPlan, id: string): (string | undefined)[] {
  return [...(plan.appliances.get(id)?.bundles ?? [])].map((bundle) => plan.bundles.get(bundle)?.name);
}

t.test('posters that are looked at much are held, and change nothing of what films are worth', async (t) => {
  const [own, small] = [fileNamed('poster'), fileNamed('poster small')];
  const poster: FillBundle = {
    ...{ bundle: own, name: 'poster', pinned: false, urgent: false, isPicture: true },
    files: [
      { file: own, ext: 'json', sizeBytes: 1 },
      { file: small, ext: 'avif', sizeBytes: 3 },
    ],
  };
  const planned = (looks: number, bundles: readonly FillBundle[] = [...films, poster]): FillPlan => {
    const { popularityAt } = catalogOf(films);
    const seen = ({ file }: { file: string }): number => (file === small ? looks : 0);
    const catalog: FillCatalog = {
      bundles: () => bundles,
      popularityAt: (site) => ({ ...popularityAt(site), seen }),
    };
    const nodes = [{ ...box('box'), capacityBytes: 304 }];
    return planFill({ nodes, catalog }, { before: emptyPlan, settings, nowMs: startMs });
  };
  const placed = (plan: FillPlan) => plan.appliances.get('box')?.placed.files ?? [];
  const worths = (plan: FillPlan) =>
    placed(plan)
      .filter(({ file }) => file !== own && file !== small)
      .map(({ file, popularity }) => [file, popularity] as const);
  const without = planned(0, films);
  t.strictSame(namesOf(without, 'box'), ['a', 'b', 'c']);
  for (const looks of [0.7, 3, 1234, 1e9]) {
    const plan = planned(looks);
    t.strictSame(worths(plan), worths(without), `${looks} looks`);
    t.ok(namesOf(plan, 'box').includes('poster'), `${looks} looks`);
  }
  t.equal(namesOf(planned(1e9), 'box')[0], 'poster');
  const only = planned(5, [poster]);
  t.strictSame(namesOf(only, 'box'), ['poster'], 'where nothing is played');
  t.ok(placed(only).every(({ popularity }) => Number.isFinite(popularity)));
});

t.test('the churn budget holds for any 24 hours, however often is planned', async (t) => {
  const limited = { ...settings, churnBytesPerDay: 200 };
  const plan = (before: FillPlan, hours: number, held?: Iterable<string>) =>
    planFill(
      { nodes: [box('one', held)], catalog: catalogOf([...films, film('pin', true)]) },
      { before, settings: limited, nowMs: startMs + hours * hourMs },
    );
  const first = plan(emptyPlan, 0);
  t.strictSame(namesOf(first, 'one'), ['pin', 'a', 'b'], 'the pinned one is no part of the budget');
  const again = plan(first, 1);
  t.strictSame(namesOf(again, 'one'), ['pin', 'a', 'b'], 'what is on its way is not counted twice');
  const held = plan(again, 12, again.appliances.get('one')?.files.keys());
  t.strictSame(namesOf(held, 'one'), ['pin', 'a', 'b'], 'nor is what has come');
  t.match(held.appliances.get('one')?.placed.left[0], { kind: 'churn-budget', budgetLeftBytes: 0 });
  t.strictSame(namesOf(plan(held, 24), 'one'), ['pin', 'a', 'b', 'c', 'd'], 'a day later there is more');
});

t.test('a clock that jumps gives no more than a budget, and takes none for longer than a day', async (t) => {
  const limited = { ...settings, churnBytesPerDay: 200 };
  const plan = (before: FillPlan, hours: number): FillPlan =>
    planFill(
      { nodes: [box('one')], catalog: catalogOf(films) },
      { before, settings: limited, nowMs: startMs + hours * hourMs },
    );
  for (const jump of [24, 365 * 24]) {
    const first = plan(emptyPlan, 0);
    const ahead = plan(first, jump);
    t.strictSame(namesOf(ahead, 'one'), ['a', 'b', 'c', 'd'], 'a day is over, for all it can know');
    const bare = { ...plan(ahead, 1), appliances: emptyPlan.appliances };
    t.strictSame(namesOf(plan(bare, 2), 'one'), [], 'back again, what was spent ahead is spent');
    t.strictSame(namesOf(plan(plan(bare, 2), 25), 'one'), ['a', 'b'], `${jump} hours ahead: for a day`);
  }
  const behind = plan(plan(emptyPlan, 48), 24);
  t.strictSame(namesOf(behind, 'one'), ['a', 'b'], 'set back, what is on its way stays on its list');
  t.strictSame(namesOf(plan(behind, 48), 'one'), ['a', 'b', 'c', 'd']);
});

t.test('a box that was lost comes back to what is left of its churn budget', async (t) => {
  const limited = { ...settings, churnBytesPerDay: 200 };
  const plan = (before: FillPlan, hours: number, lostMs?: number) =>
    planFill(
      { nodes: [{ ...box('one'), lostMs }], catalog: catalogOf(films) },
      { before, settings: limited, nowMs: startMs + hours * hourMs },
    );
  const first = plan(emptyPlan, 0);
  t.strictSame(namesOf(first, 'one'), ['a', 'b']);
  const lost = plan(first, 1, hourMs);
  t.equal(lost.appliances.size, 0, 'it has no part in a plan meanwhile');
  t.strictSame(
    namesOf(plan(lost, 2), 'one'),
    [],
    'nothing has come of what was on its way, and the budget is spent',
  );
  t.strictSame(namesOf(plan(lost, 25), 'one'), ['a', 'b']);
  t.equal(plan(lost, 25, 25 * hourMs).churn.size, 0, 'what is past is forgotten');
});

t.test('popularity that fades for all alike changes no plan', async (t) => {
  const many = Array.from({ length: 60 }, (_, index) => film(`film ${index}`));
  const plan = (fade: number) =>
    planFill(
      { nodes: [box('one')], catalog: catalogOf(many, fade) },
      { before: emptyPlan, settings, nowMs: startMs },
    );
  const before = [...(plan(1).appliances.get('one')?.files.keys() ?? [])];
  t.equal(before.length, 20);
  for (const fade of [0.99, 0.7, 1e-3]) {
    t.strictSame([...(plan(fade).appliances.get('one')?.files.keys() ?? [])], before);
  }
});

t.test('two plans of one bundle share what they say of its files', async (t) => {
  const plan = planFill(
    { nodes: [box('one'), box('two')], catalog: catalogOf(films) },
    { before: emptyPlan, settings: { ...settings, copiesMin: 2 }, nowMs: startMs },
  );
  const [file = ''] = films.map(({ bundle }) => bundle);
  t.equal(plan.appliances.get('one')?.files.get(file), plan.appliances.get('two')?.files.get(file));
  t.strictSame(plan.appliances.get('one')?.files.get(file), {
    file,
    ext: 'json',
    sizeBytes: 1,
    bundle: file,
  });
});

t.test('a cluster spreads its head by the lines of its boxes, where all of them know theirs', async (t) => {
  const many = Array.from({ length: 100 }, (_, index) => film(`film ${index}`));
  const catalog: FillCatalog = { bundles: () => many, popularityAt: () => ({ of: () => 1, siteShare: 1 }) };
  const shareOf = (slow: number | undefined) => {
    const nodes = [box('fast'), box('slow')].map((node, at) => ({
      ...node,
      capacityBytes: 1e6,
      lineBytesPerSecond: at === 0 ? 9e9 : slow,
    }));
    const plan = planFill({ nodes, catalog }, { before: emptyPlan, settings, nowMs: startMs });
    return namesOf(plan, 'fast').length / many.length;
  };
  t.ok(shareOf(1e9) > 0.8, `${String(shareOf(1e9))}, where nine tenths are its share`);
  t.ok(Math.abs(shareOf(undefined) - 0.5) < 0.15, `${String(shareOf(undefined))} where one is not known`);
});

t.test('a launch that is forecast is there before its first viewer', async (t) => {
  const forecast = { viewingsPerDay: 10, launchAtMs: startMs + 24 * hourMs, renditions: 5 };
  const launch = { ...film('launch'), forecast };
  const many = Array.from({ length: 60 }, (_, index) => film(`film ${index}`));
  const catalog: FillCatalog = { ...catalogOf(many), bundles: () => [...many, launch] };
  const plan = (nowMs: number) =>
    planFill({ nodes: [box('one')], catalog }, { before: emptyPlan, settings, nowMs });
  t.equal(
    namesOf(plan(startMs), 'one')[0],
    'launch',
    'some four viewings a rendition, of which the site has half',
  );
  t.notOk(namesOf(plan(startMs + 120 * 24 * hourMs), 'one').includes('launch'), 'which nobody watched');
});

t.test(
  'what boxes that lead on are to hold of each title is told, and is the same object while it stays',
  async (t) => {
    const [best, small] = ['best', 'small'].map((rendition) => fileNamed(`tall ${rendition}`));
    const tall: FillBundle = {
      ...film('tall'),
      files: [
        { file: fileNamed('tall'), ext: 'json', sizeBytes: 1 },
        { file: best!, ext: 'mp4', sizeBytes: 900 },
        { file: small!, ext: 'mp4', sizeBytes: 600 },
      ],
    };
    const plays = (rate: number): FillCatalog => ({
      bundles: () => [tall],
      popularityAt: () => ({ of: ({ file }) => (file === best ? rate : 1), siteShare: 1 }),
    });
    const plan = (before: FillPlan, rate: number, more: Partial<FillNode> = { mayRedirect: true }) =>
      planFill(
        { nodes: [{ ...box('one'), ...more }], catalog: plays(rate) },
        { before, settings, nowMs: startMs },
      );
    const laddersOf = (one: FillPlan) => one.appliances.get('one')!.ladders;
    const filesOf = (one: FillPlan) =>
      laddersOf(one)
        .get(tall.bundle)
        ?.map(({ file }) => file);
    const first = plan(emptyPlan, 9);
    t.strictSame(filesOf(first), [tall.bundle, best]);
    t.equal(laddersOf(plan(first, 7)), laddersOf(first));
    t.strictSame(filesOf(plan(emptyPlan, 0.1)), [tall.bundle, small]);
    t.strictSame(filesOf(plan(emptyPlan, 9, { mayFetch: true })), [tall.bundle, best]);
    const refusing = plan(first, 9, {});
    t.equal(laddersOf(refusing).size, 0, 'who refuses is no way to a part');
    t.strictSame(namesOf(refusing, 'one'), []);
  },
);
