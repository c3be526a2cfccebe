import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { unprobed, type NodeHealth } from '../../../steering/core/health.ts';
import type { SteeringView } from '../../../steering/core/view.ts';
import { WorkerFeed } from '../../../steering/dns/worker-feed.ts';
import type { ToWorker } from '../../../steering/dns/worker-messages.ts';
import { appliance, mapOf, viewOf } from '../../support/steering-maps.ts';

const boxes = 200;
const viewWith = (sequence: number): SteeringView =>
  viewOf(mapOf(Array.from({ length: boxes }, (_, at) => appliance(`m${sequence}-${at}`, { routes: [] }))), sequence); // prettier-ignore

function makeFeed() {
  const told: ToWorker[] = [];
  const health = new Map<string, NodeHealth>();
  const feed = new WorkerFeed(() => ({ health, holding: false, changedAgoMs: undefined }));
  const kinds = () => told.map(({ kind }) => kind);
  /** The ids of the appliances of the map that was told last, as the thread puts them together. */
  const ids = (): string[] => {
    const found: string[] = [];
    for (const message of told) {
      if (message.kind !== 'appliances') continue;
      found.length = message.from;
      found.push(...message.appliances.map(({ id }) => id));
    }
    return found;
  };
  const begin = (): void => {
    feed.begin((message) => told.push(message));
  };
  /** Until the map is told: a turn for each piece, and some more. */
  const settle = async (): Promise<void> => {
    for (let at = 0; at < boxes; at++) await turn();
  };
  return { feed, health, told, kinds, ids, begin, settle };
}

t.test('a map is told piece by piece, and what is believed of its boxes behind it', async (t) => {
  const { feed, kinds, ids, begin, settle } = makeFeed();
  const view = viewWith(1);
  feed.mapChanged(view);
  begin();
  t.strictSame(kinds(), ['appliances'], 'one piece in a turn');
  feed.healthChanged();
  await settle();
  t.strictSame(kinds(), ['appliances', 'appliances', 'appliances', 'appliances', 'map', 'health']);
  t.strictSame(
    ids(),
    view.appliances.map(({ id }) => id),
  );
  feed.healthChanged();
  feed.healthChanged();
  await settle();
  t.strictSame(kinds().slice(6), ['health'], 'changes of one turn go together');
});

t.test('a newer map takes the place of one that is being told', async (t) => {
  const { feed, told, ids, begin, settle } = makeFeed();
  begin();
  t.match(told, [{ kind: 'health' }], 'without a map the thread begins too');
  feed.mapChanged(viewWith(1));
  await turn();
  const second = viewWith(2);
  feed.mapChanged(second);
  await settle();
  t.strictSame(
    told.flatMap((message) => (message.kind === 'map' ? [message.parts.sequence] : [])),
    [2],
  );
  t.strictSame(
    ids(),
    second.appliances.map(({ id }) => id),
  );
});

t.test('who has ended is told nothing more', async (t) => {
  const { feed, told, begin, settle } = makeFeed();
  feed.mapChanged(viewWith(1));
  begin();
  feed.healthChanged();
  feed.end();
  feed.mapChanged(viewWith(2));
  await settle();
  t.equal(told.length, 1);
});

t.test('of what is believed only changes are told, and all of it to who begins', async (t) => {
  const { feed, health, told, begin, settle } = makeFeed();
  const up: NodeHealth = { ...unprobed(0), verdict: 'up', said: { headroom: 0.5, unwell: undefined } };
  for (const id of ['a', 'b', 'c', 'd']) health.set(id, up);
  const last = () => {
    const message = told.at(-1);
    if (message?.kind !== 'health') throw new TypeError('health is told last');
    return { changed: message.state.changed.map(([id]) => id), gone: message.state.gone };
  };
  begin();
  t.same(last(), { changed: ['a', 'b', 'c', 'd'], gone: [] });
  const change = async (more: Record<string, NodeHealth>): Promise<void> => {
    for (const [id, changed] of Object.entries(more)) health.set(id, changed);
    feed.healthChanged();
    await settle();
  };
  await change({ a: { ...up, reason: 'other words', sinceMs: 9 } });
  t.same(last(), { changed: [], gone: [] }, 'no answer depends on words and times');
  health.delete('d');
  await change({
    a: { ...up, verdict: 'down' },
    b: { ...up, downFamilies: [6] },
    c: { ...up, said: { headroom: 0.4, unwell: undefined } },
  });
  t.same(last(), { changed: ['a', 'b', 'c'], gone: ['d'] });
  await change({ a: up });
  t.same(last(), { changed: ['a'], gone: [] });
  feed.end();
  begin();
  t.same(last(), { changed: ['a', 'b', 'c'], gone: [] });
});
