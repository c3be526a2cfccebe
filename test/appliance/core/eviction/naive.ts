// The policies once more, as plainly as their papers tell them, over arrays that are searched from end to end: what the fast ones are held to.
import type { PolicyName } from '../../../../appliance/core/eviction/policy.ts';

interface Item {
  readonly id: number;
  readonly sizeBytes: number;
  asked: number;
  nextAccess: number;
  key: number;
  turn: number;
}

/** Takes one request, tells whether it was a hit. */
export type NaiveCache = (id: number, sizeBytes: number, nextAccess: number) => boolean;

const bytesOf = (...lists: Item[][]): number => lists.flat().reduce((sum, item) => sum + item.sizeBytes, 0);
const take = (list: Item[], id: number): Item | undefined => {
  const index = list.findIndex((item) => item.id === id);
  return index === -1 ? undefined : list.splice(index, 1)[0];
};

/** A cache over one list whose first item is the oldest. */
function simple(
  capacityBytes: number,
  rule: { hit(items: Item[], item: Item): void; evict(items: Item[]): void; insert?(item: Item): void },
): NaiveCache {
  const items: Item[] = [];
  let turn = 0;
  return (id, sizeBytes, nextAccess) => {
    turn++;
    const held = items.find((item) => item.id === id);
    if (held !== undefined) {
      Object.assign(held, { nextAccess, turn });
      rule.hit(items, held);
      return true;
    }
    if (sizeBytes > capacityBytes) return false;
    while (bytesOf(items) + sizeBytes > capacityBytes) rule.evict(items);
    const item = { id, sizeBytes, asked: 0, nextAccess, key: 0, turn };
    rule.insert?.(item);
    items.push(item);
    return false;
  };
}

const toEnd = (items: Item[], item: Item): void => {
  take(items, item.id);
  items.push(item);
};

function sieve(capacityBytes: number): NaiveCache {
  let hand: Item | undefined;
  return simple(capacityBytes, {
    hit(_items, item) {
      item.asked = 1;
    },
    evict(items) {
      let at = hand === undefined ? 0 : items.indexOf(hand);
      while (items[at]!.asked > 0) {
        items[at]!.asked = 0;
        at = (at + 1) % items.length;
      }
      hand = items[at + 1];
      items.splice(at, 1);
    },
  });
}

function gdsf(capacityBytes: number): NaiveCache {
  let age = 0;
  const rank = (item: Item): void => {
    item.asked++;
    item.key = age + (item.asked * 1e6) / item.sizeBytes;
  };
  return simple(capacityBytes, {
    hit: (_items, item) => rank(item),
    insert: rank,
    evict(items) {
      const [least] = items.toSorted((a, b) => a.key - b.key || a.turn - b.turn);
      age = least!.key;
      take(items, least!.id);
    },
  });
}

function s3fifo(capacityBytes: number): NaiveCache {
  const [small, main, ghosts]: [Item[], Item[], Item[]] = [[], [], []];
  const mainBytesMax = capacityBytes - Math.floor(capacityBytes / 10);
  const evictMain = (): void => {
    for (;;) {
      const item = main.shift()!;
      if (item.asked === 0) return;
      item.asked--;
      main.push(item);
    }
  };
  const evictSmall = (): void => {
    for (let item = small.shift(); item !== undefined; item = small.shift()) {
      if (item.asked < 2) {
        ghosts.push(item);
        while (bytesOf(ghosts) > Math.floor(capacityBytes * 0.9)) ghosts.shift();
        return;
      }
      item.asked = 0;
      main.push(item);
    }
  };
  return (id, sizeBytes, nextAccess) => {
    const held = [...small, ...main].find((item) => item.id === id);
    if (held !== undefined) {
      held.asked = Math.min(held.asked + 1, 3);
      return true;
    }
    if (sizeBytes > capacityBytes) return false;
    const ghost = take(ghosts, id);
    while (bytesOf(small, main) + sizeBytes > capacityBytes) {
      if (small.length === 0 || bytesOf(main) > mainBytesMax) evictMain();
      else evictSmall();
    }
    const item = { id, sizeBytes, asked: 0, nextAccess, key: 0, turn: 0 };
    (ghost === undefined ? small : main).push(item);
    return false;
  };
}

function arc(capacityBytes: number): NaiveCache {
  const [t1, t2, b1, b2]: [Item[], Item[], Item[], Item[]] = [[], [], [], []];
  let p = 0;
  const replace = (isInB2: boolean): void => {
    const t1Bytes = bytesOf(t1);
    if (t2.length === 0 || (t1.length > 0 && (t1Bytes > p || (isInB2 && t1Bytes === p))))
      b1.push(t1.shift()!);
    else b2.push(t2.shift()!);
  };
  const caseFour = (sizeBytes: number): void => {
    if (bytesOf(t1, b1) + sizeBytes > capacityBytes) {
      if (b1.shift() === undefined) t1.shift();
      else replace(false);
      return;
    }
    if (bytesOf(t1, b1, t2, b2) >= 2 * capacityBytes) b2.shift();
    replace(false);
  };
  return (id, sizeBytes, nextAccess) => {
    const held = take(t1, id) ?? take(t2, id);
    if (held !== undefined) {
      t2.push(held);
      return true;
    }
    if (sizeBytes > capacityBytes) return false;
    const [isInB1, isInB2] = [b1.some((item) => item.id === id), b2.some((item) => item.id === id)];
    if (isInB1) p = Math.min(capacityBytes, p + Math.max(1, bytesOf(b2) / bytesOf(b1)));
    if (isInB2) p = Math.max(0, p - Math.max(1, bytesOf(b1) / bytesOf(b2)));
    take(b1, id);
    take(b2, id);
    while (bytesOf(t1, t2) + sizeBytes > capacityBytes) {
      if (isInB1 || isInB2) replace(isInB2);
      else caseFour(sizeBytes);
    }
    (isInB1 || isInB2 ? t2 : t1).push({ id, sizeBytes, asked: 0, nextAccess, key: 0, turn: 0 });
    return false;
  };
}

export const naiveCaches: Readonly<Record<PolicyName, (capacityBytes: number) => NaiveCache>> = {
  fifo: (capacityBytes) => simple(capacityBytes, { hit: () => undefined, evict: (items) => items.shift() }),
  lru: (capacityBytes) => simple(capacityBytes, { hit: toEnd, evict: (items) => items.shift() }),
  clock: (capacityBytes) =>
    simple(capacityBytes, {
      hit(_items, item) {
        item.asked = 1;
      },
      evict(items) {
        while (items[0]!.asked === 1) {
          items[0]!.asked = 0;
          toEnd(items, items[0]!);
        }
        items.shift();
      },
    }),
  sieve,
  s3fifo,
  arc,
  gdsf,
  belady: (capacityBytes) =>
    simple(capacityBytes, {
      hit: () => undefined,
      evict(items) {
        const [farthest] = items.toSorted((a, b) =>
          a.nextAccess === b.nextAccess ? a.turn - b.turn : b.nextAccess - a.nextAccess,
        );
        take(items, farthest!.id);
      },
    }),
};
