import t from 'tap';
import { SteeredNetwork, stepMs, type Moved } from '../support/sim/steered-network.ts';
import { appliance, route, type TestAppliance } from '../support/steering-maps.ts';

// Boxes of a tenth of a 10 Gbit/s line: 200 viewers fill one.
const weight = 0.1;
const near = route('10.0.0.0/8', { asPathLength: 1 });
const far = route('10.0.0.0/8', { asPathLength: 2 });

/** A site whose boxes reach everybody by one route. */
function siteOf(site: string, boxes: number, by = near): TestAppliance[] {
  return Array.from({ length: boxes }, (_, at) =>
    appliance(`${site}-${at}`, { site, cluster: site, weight, routes: [by] }),
  );
}

const ids = (boxes: readonly TestAppliance[]): string[] => boxes.map(({ id }) => id);

/** The most moves of any minute. */
function mostPerMinute(moves: readonly Moved[]): number {
  let most = 0;
  for (let from = 0, to = 0; to < moves.length; to++) {
    while ((moves[to]?.atMs ?? 0) - (moves[from]?.atMs ?? 0) >= 60_000) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

/** The largest share of any of these boxes that was ever in use. */
function peakOf(network: SteeredNetwork, boxes: readonly TestAppliance[]): number {
  return Math.max(...ids(boxes).map((id) => network.peaks.get(id) ?? 0));
}

t.test(
  'half of the boxes of a site are lost: their viewers alone move, and no other box is filled',
  async (t) => {
    const boxes = [...siteOf('a', 4), ...siteOf('b', 4, far)];
    const network = new SteeredNetwork({ seed: 1, boxes });
    await network.run(180, () => {
      network.arrive(1);
    });
    const before = network.places();
    const lost = new Set(['a-0', 'a-1']);
    for (const id of lost) network.alive.set(id, false);
    await network.run(600);
    const { moves } = network;
    const after = network.places();
    t.ok(before.some((at) => lost.has(at)));
    t.notOk(
      after.some((at) => lost.has(at)),
      'nobody is left on what is gone',
    );
    const strangers = new Set(
      moves.filter(({ viewer }) => !lost.has(before[viewer] ?? '')).map(({ viewer }) => viewer),
    );
    t.ok(strangers.size <= 0.02 * before.length, `${strangers.size} of the others moved`);
    t.ok(
      mostPerMinute(moves) <= 2 * before.filter((at) => lost.has(at)).length,
      'each of them twice at most',
    );
    t.ok(peakOf(network, boxes) <= 1, `at most ${peakOf(network, boxes)} of a box was in use`);
  },
);

t.test(
  'a thundering return: everybody comes back to the nearer site, and fills none of its boxes',
  async (t) => {
    const boxes = [...siteOf('a', 4), ...siteOf('b', 8, far)];
    const network = new SteeredNetwork({ seed: 2, boxes, nodes: 2 });
    await network.run(120, () => {
      network.arrive(2);
    });
    const viewers = network.places().length;
    for (const { id } of siteOf('a', 4)) network.alive.set(id, false);
    await network.run(180);
    t.ok(
      network.places().every((at) => at.startsWith('b')),
      'all are on the farther site',
    );
    network.moves.length = 0;
    for (const { id } of siteOf('a', 4)) network.alive.set(id, true);
    await network.run(600);
    const home = network.places().filter((at) => at.startsWith('a')).length;
    t.ok(home >= 0.9 * viewers, `${home} of ${viewers} are back`);
    t.ok(peakOf(network, boxes) <= 1, `at most ${peakOf(network, boxes)} of a box was in use`);
    t.ok(network.moves.length <= 1.1 * viewers, 'each moves once');
  },
);

for (const periodMs of [1000, 2000, 4000, 8000, 15_000, 30_000, 50_000, 90_000, 180_000]) {
  t.test(
    `flapping with a period of ${periodMs} ms: a box is lost a few times a minute at most`,
    async (t) => {
      const boxes = siteOf('a', 4);
      const network = new SteeredNetwork({ seed: periodMs, boxes, titles: 20 });
      const viewers = 200;
      network.arrive(viewers);
      let atMs = 0;
      const minutes = 6;
      await network.run(60 * minutes, () => {
        atMs += stepMs;
        network.alive.set('a-0', atMs % periodMs < periodMs / 2);
      });
      const losses = network.nodes[0]?.lossesOf('a-0') ?? 0;
      t.ok(losses <= 1.4 * minutes + 3, `${losses} losses in ${minutes} minutes`);
      const others = network.moves.filter(({ from }) => from !== 'a-0' && from !== 'origin');
      t.ok(
        others.length <= viewers * (losses + 1),
        'viewers of steady boxes come back only as often as it seems well',
      );
      t.ok(peakOf(network, boxes) <= 1, 'no box is filled');
    },
  );
}

t.test('a monitor that is isolated sends nobody elsewhere, nor do the others', async (t) => {
  const boxes = [...siteOf('a', 4), ...siteOf('b', 4, far)];
  const network = new SteeredNetwork({ seed: 3, boxes, nodes: 3 });
  network.arrive(300);
  await network.run(60);
  const before = network.places();
  const [cut] = network.nodes;
  if (cut === undefined) throw new TypeError('there is a node');
  cut.isCut = true;
  await network.run(400);
  t.strictSame(network.places(), before, 'nobody moved');
  t.ok(cut.holding(), 'it keeps what it last knew');
  for (const { id } of boxes) t.equal(cut.verdictOf(id), 'up', `${id} is as it was`);
  cut.isCut = false;
  network.alive.set('a-0', false);
  await network.run(20);
  t.equal(cut.verdictOf('a-0'), 'down', 'it sees again');
});

t.test(
  'a box that fills up sends on few of those who come, and takes them again when there is room',
  async (t) => {
    const boxes = [...siteOf('a', 1), ...siteOf('b', 1, far)];
    const network = new SteeredNetwork({ seed: 4, boxes });
    // A steady audience of three quarters of the box, then one more than it bears, then the first again.
    await network.run(150, () => {
      network.arrive(network.places().length < 150 ? 1 : 0);
    });
    t.equal(network.viewersOf('b-0'), 0, 'there is room for all');
    await network.run(120, () => {
      network.arrive(network.places().length < 230 ? 1 : 0);
    });
    const away = network.viewersOf('b-0');
    t.ok(away >= 230 - 200 && away <= 90, `${away} of 230 are on the other one`);
    t.ok(peakOf(network, boxes) <= 1, `at most ${peakOf(network, boxes)} of a box was in use`);
    t.equal(network.moves.length, 0, 'who watches stays where it is');
    network.leave(150);
    await network.run(20);
    const spilled = network.viewersOf('b-0');
    network.arrive(40);
    t.equal(network.viewersOf('b-0'), spilled, 'all who come now find room');
  },
);
