import fc from 'fast-check';
import t from 'tap';

import {
  createPolicy,
  policyNames,
  type EvictionPolicy,
  type PolicyName,
} from '../../../../appliance/core/eviction/policy.ts';
import { nextAccesses, zipfTrace, type TraceRequest } from '../../../support/traces.ts';
import { naiveCaches } from './naive.ts';

const ones = (text: string): TraceRequest[] =>
  text.split(' ').map((name) => ({ id: name.charCodeAt(0), sizeBytes: 1 }));

/** The hits of a trace as `+`, its misses as `-`. */
function replay(policy: EvictionPolicy, trace: readonly TraceRequest[]): string {
  const next = nextAccesses(trace);
  return trace
    .map((request, number) => (policy.request({ ...request, nextAccess: next[number]! }) ? '+' : '-'))
    .join('');
}

const held = (policy: EvictionPolicy, names: string): string =>
  names
    .split('')
    .filter((name) => policy.has(name.charCodeAt(0)))
    .join('');

t.test('each policy on a trace that was worked by hand from its definition', async (t) => {
  // Objects of one byte, three of them fit. After `a b c` all are full; what is asked for next tells the policies apart.
  const cases: [PolicyName, number, string, string, string][] = [
    // The hit on `a` does not help it.
    ['fifo', 3, 'a b c a d a', '---+--', 'acd'],
    // `a` was asked for lately, so `b` goes.
    ['lru', 3, 'a b c a d a b', '---+-+-', 'abd'],
    // `a` has its bit, so `b` goes; without the bit `a` would be the next to go, after `c`.
    ['clock', 3, 'a b c a d e a', '---+--+', 'ade'],
    // The hand spares `a` and evicts `b`, then stands at `c`, which goes for `e`: `a` and `d` stay where they are. Then `d`, which nobody asked for.
    ['sieve', 3, 'a b c a d e f a', '---+---+', 'aef'],
    // The hit moves `a` to T2, so `c` evicts `b` to B1. That ghost moves p to 1, so `a` goes to B2; its ghost moves p back, so `c` goes.
    ['arc', 2, 'a b a c b a', '--+---', 'ab'],
    // At the farthest: `c` is asked for last of all.
    ['belady', 2, 'a b c a b c', '---+-+', 'bc'],
  ];
  for (const [name, capacityBytes, trace, hits, end] of cases) {
    const policy = createPolicy(name, capacityBytes);
    t.equal(replay(policy, ones(trace)), hits, `${name}: ${trace}`);
    t.equal(held(policy, 'abcdefgh'), end, `${name} holds`);
  }
});

t.test('S3-FIFO: through the small queue, out as a ghost, back into the main queue', async (t) => {
  // Ten objects fit, one of them in the small queue before it is evicted from.
  const policy = createPolicy('s3fifo', 10);
  t.equal(replay(policy, ones('a b c d e f g h i j')), '----------');
  // Asked for once more, `a` does not stay; asked for twice more, `b` does.
  t.equal(replay(policy, ones('a b b')), '+++');
  t.equal(replay(policy, ones('k')), '-');
  t.notOk(policy.has('a'.charCodeAt(0)), 'one hit is not enough');
  t.equal(replay(policy, ones('l')), '-');
  t.equal(held(policy, 'abc'), 'b', 'two hits are; the next in line went instead');
  // `a` is a ghost: it comes back into the main queue, which new objects do not push it out of.
  t.equal(replay(policy, ones('a m n o p q r s t u v w x y z')), '-'.repeat(15));
  t.equal(held(policy, 'abcdefghij'), 'ab');
});

t.test('GDSF: small and often asked for stays', async (t) => {
  const policy = createPolicy('gdsf', 100);
  policy.request({ id: 'large', sizeBytes: 80 });
  policy.request({ id: 'small', sizeBytes: 10 });
  t.equal(policy.evict(), 'large');
  policy.hold({ id: 'new', sizeBytes: 20 });
  // 3 × 1/20 is more than 1/10, and both have the same age.
  policy.touch({ id: 'new' });
  policy.touch({ id: 'new' });
  t.equal(policy.evict(), 'small');
});

t.test('Belady evicts the farthest until it fits, sizes or not', async (t) => {
  const policy = createPolicy('belady', 10);
  policy.request({ id: 'a', sizeBytes: 4, nextAccess: 7 });
  policy.request({ id: 'b', sizeBytes: 3, nextAccess: 9 });
  policy.request({ id: 'c', sizeBytes: 3, nextAccess: 8 });
  policy.request({ id: 'd', sizeBytes: 5, nextAccess: 6 });
  t.strictSame(
    ['a', 'b', 'c', 'd'].filter((id) => policy.has(id)),
    ['a', 'd'],
  );
  policy.touch({ id: 'a', nextAccess: 20 });
  t.equal(policy.evict(), 'a');
});

t.test('an object larger than the capacity misses and evicts nothing', async (t) => {
  for (const name of policyNames) {
    const policy = createPolicy(name, 10);
    policy.request({ id: 1, sizeBytes: 6 });
    t.notOk(policy.request({ id: 2, sizeBytes: 11 }));
    t.notOk(policy.request({ id: 2, sizeBytes: 11 }), `${name}: again`);
    t.ok(policy.has(1));
    t.equal(policy.usedBytes, 6);
    policy.request({ id: 4, sizeBytes: 10 });
    t.equal(policy.usedBytes, 10, `${name}: one that fills it fits`);
  }
});

t.test('what cannot be is a bug of the caller', async (t) => {
  for (const capacityBytes of [0, -1, 1.5, NaN, 2 ** 60])
    t.throws(() => createPolicy('lru', capacityBytes), RangeError);
  const policy = createPolicy('lru', 10);
  t.throws(() => policy.hold({ id: 1, sizeBytes: 0 }), RangeError);
  t.throws(() => policy.resize(0), RangeError);
  policy.hold({ id: 1, sizeBytes: 1 });
  t.throws(() => policy.hold({ id: 1, sizeBytes: 1 }), /held already/);
});

t.test('every policy agrees with its naive form, request by request', async () => {
  const sizes = fc.constantFrom(1, 1, 1, 2, 3, 5, 9, 40);
  const requests = fc.array(fc.record({ id: fc.nat(30), sizeBytes: sizes }), {
    minLength: 1,
    maxLength: 300,
  });
  fc.assert(
    fc.property(requests, fc.integer({ min: 1, max: 60 }), fc.boolean(), (trace, capacityBytes, isEqual) => {
      // An object has one size, as files have.
      const sized = trace.map(({ id, sizeBytes }) => ({
        id,
        sizeBytes: isEqual ? 1 : 1 + ((id * sizeBytes) % 13),
      }));
      const next = nextAccesses(sized);
      for (const name of policyNames) {
        const policy = createPolicy(name, capacityBytes);
        const naive = naiveCaches[name](capacityBytes);
        sized.forEach((request, number) => {
          const hit = policy.request({ ...request, nextAccess: next[number]! });
          if (hit !== naive(request.id, request.sizeBytes, next[number]!))
            throw new Error(`${name} at ${number}: ${hit ? 'hit' : 'miss'}`);
          if (policy.usedBytes > capacityBytes) throw new Error(`${name} holds ${policy.usedBytes}`);
        });
      }
    }),
    { numRuns: 300 },
  );
});

t.test('of equal sizes Belady misses least', async (t) => {
  const trace = [
    ...zipfTrace({ seed: 7, requests: 20_000, objects: 2000, alpha: 0.8, oneHitShare: 0.2, sizeOf: () => 1 }),
  ];
  for (const capacityBytes of [10, 100, 1000]) {
    const misses = (name: PolicyName): number =>
      replay(createPolicy(name, capacityBytes), trace).split('-').length - 1;
    const least = misses('belady');
    for (const name of policyNames) t.ok(misses(name) >= least, `${name} at ${capacityBytes}`);
  }
});

t.test('what may not go stays; what is evicted is forgotten; nothing is lost in the counting', async () => {
  const actions = fc.array(
    fc.record({
      verb: fc.constantFrom(
        'hold',
        'hold',
        'hold',
        'resize',
        'touch',
        'remove',
        'evict',
        'lease',
        'lease',
        'release',
      ),
      id: fc.nat(25),
      sizeBytes: fc.integer({ min: 1, max: 12 }),
    }),
    { maxLength: 400 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...policyNames), actions, (name, all) => {
      const policy = createPolicy(name, 50);
      const sizes = new Map<number, number>();
      const leased = new Set<number>();
      const isEvictable = (id: unknown): boolean => !leased.has(id as number);
      for (const { verb, id, sizeBytes } of all) {
        if (verb === 'lease') leased.add(id);
        else if (verb === 'release') leased.delete(id);
        else if (verb === 'touch') policy.touch({ id });
        else if (verb === 'remove') {
          if (policy.remove(id) !== sizes.delete(id)) throw new Error('removed what is not there');
        } else if (verb === 'resize') policy.resize(sizeBytes * 10);
        else if (verb === 'hold' && !sizes.has(id)) {
          policy.hold({ id, sizeBytes });
          sizes.set(id, sizeBytes);
        } else if (verb === 'evict') {
          const victim = policy.evict(isEvictable) as number | undefined;
          if (victim === undefined) {
            if ([...sizes.keys()].some((other) => !leased.has(other))) throw new Error('gave up too early');
          } else {
            if (leased.has(victim)) throw new Error(`${victim} is leased`);
            if (!sizes.delete(victim)) throw new Error(`${victim} is not held`);
          }
        }
        const used = [...sizes.values()].reduce((sum, size) => sum + size, 0);
        if (policy.usedBytes !== used || policy.length !== sizes.size) throw new Error('counts differ');
        for (const known of sizes.keys()) if (!policy.has(known)) throw new Error(`${known} is lost`);
      }
    }),
    { numRuns: 2000 },
  );
});
