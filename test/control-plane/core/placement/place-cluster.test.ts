import t from 'tap';
import { hashText } from '../../../../common/core/rendezvous.ts';
import { BoxMask } from '../../../../control-plane/core/placement/box-mask.ts';
import { internBundles } from '../../../../control-plane/core/placement/catalog.ts';
import { Ledger } from '../../../../control-plane/core/placement/ledger.ts';
import { placeCluster } from '../../../../control-plane/core/placement/place-cluster.ts';
import { placedWhys, whyName } from '../../../../control-plane/core/placement/placed-list.ts';
import { ids, title } from '../../support/placement-lab.ts';

const settings = { copiesMin: 2, keepBonus: 0.5, ladderWorth: 1 };

t.test('a cluster of more boxes than a word has bits', async (t) => {
  const { catalog, files } = internBundles(ids(400, 't').map((name) => title(name)));
  const popularity = Float64Array.from(files, (_, file) => 1 + (file % 7));
  const names = ids(70, 'box');
  const boxes = names.map((name) => ({
    hash: hashText(name),
    ...{ usableBytes: 500, throughput: 1, churnBytes: Infinity, held: [] as number[] },
  }));
  const before = placeCluster(catalog, { boxes, popularity, settings });
  t.ok(
    before.freeBytes.every((free) => free >= 0 && free < 100),
    'every box is full',
  );
  const held = boxes.map((box, at) => ({ ...box, held: before.boxes[at]!.files }));
  const after = placeCluster(catalog, { boxes: held, popularity, settings });
  for (const [at, { files: placed }] of after.boxes.entries()) {
    t.strictSame(new Set(placed), new Set(before.boxes[at]!.files), `${names[at]!} keeps what it has`);
  }
});

t.test('a list that grows keeps everything', async (t) => {
  const { catalog, files } = internBundles(ids(1000, 't').map((name) => title(name)));
  const box = { hash: hashText('one'), usableBytes: 1e9, throughput: 1, churnBytes: Infinity, held: [] };
  const popularity = new Float64Array(files.length);
  const { boxes } = placeCluster(catalog, { boxes: [box], popularity, settings });
  t.equal(boxes[0]?.files.length, 3000);
  t.equal(new Set(boxes[0]?.files).size, 3000);
  t.ok(boxes[0]?.whys.every((why) => whyName(why) === 'popular'));
  t.equal(whyName(placedWhys.spare), 'spare');
});

t.test('a mask has a bit for each pair', async (t) => {
  const mask = new BoxMask({ fileCount: 3, boxCount: 40 });
  mask.add(0, 39);
  mask.add(2, 31);
  mask.add(2, 39);
  t.ok(mask.has(0, 39) && mask.has(2, 31) && mask.has(2, 39));
  t.notOk(mask.has(0, 31) || mask.has(1, 39));
  t.strictSame(
    [0, 1, 2].map((file) => mask.any(file)),
    [true, false, true],
  );
});

t.test(
  'a ledger sums by bundle what is held and what is planned, in each bundle that has the file',
  async (t) => {
    const poster = { file: 'poster', sizeBytes: 7 };
    const bundles = ['x', 'y'].map((name) => ({ ...title(name), files: [...title(name).files, poster] }));
    const { catalog, numbers } = internBundles(bundles);
    const number = (file: string): number => numbers.get(file) ?? NaN;
    const ledger = new Ledger(catalog, [[number('poster'), number('poster')], [number('best-x')]]);
    t.strictSame(
      [0, 1].map((bundle) => ledger.heldBytes(bundle, 0)),
      [7, 7],
    );
    t.strictSame(
      [0, 1].map((bundle) => ledger.heldBytesMost(bundle)),
      [50, 7],
    );
    ledger.place(number('poster'), 0, 0);
    ledger.place(number('small-x'), 0, 0);
    t.strictSame(
      [0, 1].map((bundle) => ledger.missingBytes(bundle, 0)),
      [60, 100],
    );
    t.strictSame(
      [0, 1].map((bundle) => ledger.newBytes(bundle, 0)),
      [60, 100],
    );
    t.strictSame(
      [0, 1].map((bundle) => ledger.isBegun(bundle, 1)),
      [false, false],
    );
    for (const file of ['bundle-x', 'best-x']) ledger.place(number(file), 0, 0);
    t.strictSame(
      [0, 1].map((bundle) => ledger.isWhole(bundle, 0)),
      [true, false],
    );
  },
);
