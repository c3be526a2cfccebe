import t, { type Test } from 'tap';

import { RouteUplink, type RouteLink } from '../../../appliance/routes/route-uplink.ts';
import { decodeRouteTable } from '../../../common/core/route-table-codec.ts';
import {
  applyRouteTableDelta,
  nameRouteTable,
  type NamedRouteTable,
} from '../../../common/core/route-table-delta.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { coded, valueOf } from '../../../common/runtime/errors.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { unpackRouteTable } from '../../../common/runtime/route-table-packing.ts';
import { tableOf } from '../../control-plane/support/tell-routes.ts';

const limits = { routesMax: 1000 };

/** A control plane that holds one table, and an uplink that tells it. */
function start(t: Test) {
  const calls: string[] = [];
  let held: NamedRouteTable | undefined;
  let failure: Error | undefined;
  let wake = (): void => undefined;
  const link: RouteLink = {
    async routeTable(packed, kind) {
      calls.push(kind);
      const bytes = await unpackRouteTable(packed);
      if (failure !== undefined) throw failure;
      if (kind === 'full') held = nameRouteTable(valueOf(decodeRouteTable(bytes, limits)));
      else if (held === undefined) throw coded('ROUTE_TABLE_UNKNOWN');
      else held = valueOf(applyRouteTableDelta(held, bytes, limits));
      queueMicrotask(wake);
      return { name: held.name, routes: 1, refused: [] };
    },
  };
  const clock = createSystemClock();
  const uplink = new RouteUplink({
    link,
    clock,
    log: createSilentLog(),
    records: { routes: () => undefined },
  });
  const ended = new AbortController();
  const done = uplink.run(ended.signal);
  t.teardown(async () => {
    ended.abort();
    await done;
  });
  return {
    calls,
    uplink,
    clock,
    fail: (error: Error | undefined) => (failure = error),
    lose: () => (held = undefined),
    get held() {
      return held?.name;
    },
    /** Resolves once that table is held. */
    until: async (table: NamedRouteTable): Promise<void> => {
      while (held?.name !== table.name) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

const [one, two, three] = [tableOf('10.0.0.0/8'), tableOf('10.0.0.0/8', '11.0.0.0/8'), tableOf('12.0.0.0/8')];
const empty = tableOf();

t.test('whole at first, then what changed; whole again where the other side has lost it', async (t) => {
  const far = start(t);
  far.uplink.routes(one.table);
  await far.until(one);
  far.uplink.routes(two.table);
  await far.until(two);
  far.lose();
  far.uplink.routes(three.table);
  await far.until(three);
  t.same(far.calls, ['full', 'delta', 'delta', 'full']);
  far.uplink.routes(tableOf('12.0.0.0/8').table);
  far.lose();
  far.uplink.heard(undefined, far.clock.nowMs() + 1000);
  await far.until(three);
  t.same(far.calls.length, 5, 'a reply to a heartbeat says that it is lost');
});

t.test('what cannot be told is told later; a heartbeat from before says nothing', async (t) => {
  const far = start(t);
  const beforeMs = far.clock.nowMs() - 1000;
  far.fail(coded('CONTROL_UNREACHABLE'));
  far.uplink.routes(one.table);
  while (far.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
  far.fail(undefined);
  await far.until(one);
  far.uplink.heard(undefined, beforeMs);
  far.uplink.routes(two.table);
  await far.until(two);
  t.equal(far.calls.at(-1), 'delta');
});

t.test(
  'a box that comes back with the table that is held tells nothing; one without routes takes back what is held',
  async (t) => {
    const far = start(t);
    far.uplink.routes(empty.table);
    far.uplink.heard(undefined, far.clock.nowMs());
    far.uplink.routes(one.table);
    await far.until(one);
    t.same(far.calls, ['full'], 'that there is nothing is no news');

    const again = start(t);
    again.uplink.heard(one.name, again.clock.nowMs());
    again.uplink.routes(empty.table);
    await again.until(empty);
    t.same(again.calls, ['full']);
  },
);

t.test('reasons fit into a heartbeat', async (t) => {
  const { uplink } = start(t);
  uplink.reasons(['x'.repeat(1000)]);
  t.equal(uplink.sourceReasons[0]?.length, 200);
});
