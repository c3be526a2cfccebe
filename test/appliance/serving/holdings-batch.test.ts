import t from 'tap';

import { SharedHoldings } from '../../../appliance/serving/holdings-batch.ts';
import type { HeldInfo, HoldingsChange } from '../../../appliance/store/file-store.ts';
import { packedFilesMax, unpackFiles } from '../../../appliance/store/packed-files.ts';

type Told = Parameters<Parameters<SharedHoldings['tell']>[0]>[0];

/** As much of a store as is told, with three messages' worth of files. */
function fullStore() {
  const held = new Map<string, HeldInfo>();
  for (let file = 0; file < 2.5 * packedFilesMax; file++)
    held.set(file.toString(16).padStart(64, '0'), { sizeBytes: file, disk: 7 });
  const listeners: ((change: HoldingsChange) => void)[] = [];
  return {
    held,
    roots: new Map([[7, '/d7']]),
    onChange: (listener: (change: HoldingsChange) => void) => void listeners.push(listener),
    remove(file: string) {
      held.delete(file);
      for (const listener of listeners) listener({ kind: 'removed', file, lastSentMs: undefined });
    },
  };
}

const filesOf = (told: readonly Told[]): string[] =>
  told.flatMap(({ added }) => added.flatMap(([, packed]) => unpackFiles(packed).map(([file]) => file)));

t.test('several are told all that is held, which is packed once for them', async (t) => {
  const store = fullStore();
  const holdings = new SharedHoldings(store);
  const told: Told[][] = [[], []];
  await Promise.all(
    told.map((messages) =>
      holdings.tell(async (message) => {
        messages.push(message);
      }),
    ),
  );
  const [one = [], two = []] = told;
  t.same(filesOf(one), [...store.held.keys()]);
  t.ok(one.length === 3 && one.every((message, at) => message === two[at]));
});

t.test('who is told while a file goes is not told of it afterwards', async (t) => {
  const store = fullStore();
  const holdings = new SharedHoldings(store);
  const [first = '', last = ''] = [[...store.held.keys()][0], [...store.held.keys()].at(-1)];
  const quick: Told[] = [];
  await holdings.tell(async (message) => {
    quick.push(message);
    if (quick.length > 1) return;
    // Another one has all of it packed by then.
    await holdings.tell(() => Promise.resolve());
    store.remove(last);
  });
  t.notOk(filesOf(quick).includes(last));
  t.ok(new Set(filesOf(quick)).isSupersetOf(new Set(store.held.keys())));
  store.remove(first);
  const later: Told[] = [];
  await holdings.tell(async (message) => {
    later.push(message);
  });
  t.same(filesOf(later), [...store.held.keys()]);
});
