import fc from 'fast-check';
import t from 'tap';
import { readSteeredSession, steeredSessionQuery } from '../../../steering/core/steered-session.ts';

const declared = ['a', 'b', 'c.1'];
const nowS = 1_000_000;
const read = (query: string) => {
  const parsed: Record<string, unknown> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const known = parsed[name];
    parsed[name] = known === undefined ? value : [known, value].flat();
  }
  const { current, left } = readSteeredSession(parsed, declared, nowS);
  return { current, left: Object.fromEntries(left) };
};
const until = nowS + 300;

t.test('where a player is, as HLS and DASH players say it', (t) => {
  const nothingLeft = (current: string) => ({ current, left: {} });
  t.strictSame(read(''), nothingLeft('a'), 'nothing said: where the manifest begins');
  for (const said of ['_HLS_pathway=a', '_HLS_pathway="a"', '_HLS_pathway=%22a%22', '_DASH_pathway="a"', '_HLS_pathway=a&_HLS_pathway=b'])
    t.strictSame(read(said), nothingLeft('a'), said); // prettier-ignore
  for (const junk of ['_HLS_pathway=', '_HLS_pathway="', '_DASH_pathway=,,', '_HLS_pathway=foreign', 'on=foreign&left=,~,a~x'])
    t.strictSame(read(junk), nothingLeft('a'), junk); // prettier-ignore
  t.strictSame(read('on=b'), nothingLeft('b'), 'nothing said: where it was told to be');
  t.strictSame(read('on=b&from=a&_HLS_pathway=b'), nothingLeft('b'), 'it followed');
  t.strictSame(read('on=b&from=a&_HLS_pathway=a'), nothingLeft('a'), 'it has fetched nothing since');
  t.strictSame(read('on=b&from=a&_DASH_pathway="a,b"'), nothingLeft('b'), 'a list of one that followed');
  t.end();
});

t.test('a player that went elsewhere was failed by where it was', (t) => {
  t.strictSame(read('_HLS_pathway=b'), { current: 'b', left: { a: until } }, 'dead at the start');
  t.strictSame(read('on=a&from=a&_DASH_pathway="a,b"'), { current: 'b', left: { a: until } });
  t.strictSame(read('on=a&from=a&_DASH_pathway=a,b,c.1'), {
    current: 'c.1',
    left: { a: until, b: until },
  });
  t.strictSame(read('on=b&from=a&_HLS_pathway=c.1'), { current: 'c.1', left: { b: until } });
  t.end();
});

t.test('it is remembered for a while, and forgotten when the player is back', (t) => {
  t.strictSame(read(`on=b&from=b&left=a~${nowS + 10}&_HLS_pathway=b`).left, { a: nowS + 10 });
  t.strictSame(read(`on=b&from=b&left=a~${nowS - 1}`).left, {}, 'over');
  t.strictSame(read(`on=b&from=b&left=a~${nowS + 301}`).left, {}, 'longer than anybody is kept away');
  t.strictSame(read(`on=b&from=a&left=a~${nowS + 10}&_HLS_pathway=a`).left, {}, 'it plays from there');
  t.end();
});

t.test('what an answer carries is read again, whatever a player makes of it', (t) => {
  const id = fc.constantFrom(...declared);
  const forS = fc.integer({ min: 1, max: 300 });
  const state = fc.record({ current: id, first: id, ids: fc.uniqueArray(id), forS });
  fc.assert(
    fc.property(state, ({ current, first, ids, forS }) => {
      const left = new Map(ids.filter((one) => one !== current).map((one) => [one, nowS + forS]));
      const query = steeredSessionQuery({ declared, current, left }, first);
      const again = read(`${query}&_HLS_pathway=${current}`);
      t.equal(again.current, current);
      t.strictSame(again.left, Object.fromEntries(left));
    }),
    { numRuns: 50 },
  );
  const value = fc.oneof(fc.string(), fc.array(fc.string()), fc.constant(undefined), fc.integer());
  const names = fc.constantFrom('on', 'from', 'left', '_HLS_pathway', '_DASH_pathway', '_DASH_throughput');
  fc.assert(
    fc.property(fc.dictionary(names, value), (query) => {
      const { current, left } = readSteeredSession(query, declared, nowS);
      return declared.includes(current ?? '') && [...left.keys()].every((one) => declared.includes(one));
    }),
  );
  t.end();
});
