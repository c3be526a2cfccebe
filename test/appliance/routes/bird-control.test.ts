import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { createRouteClassifier } from '../../../appliance/core/routes/route-classes.ts';
import { createBirdSource } from '../../../appliance/routes/bird-source.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';
import { createTold, type Told } from '../../support/told-routes.ts';

/** Something that answers on a control socket, and a source that asks it. */
async function converse(t: Test, answer: (command: string, socket: Socket) => void): Promise<Told> {
  const path = join(await temporaryDirectory(t), 'bird.ctl');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    answer('hello', socket);
    socket.on('data', (data) => {
      for (const command of data.toString().trim().split('\n')) answer(command, socket);
    });
  }).listen(path);
  await once(server, 'listening');
  const told = createTold();
  const source = createBirdSource({
    socket: path,
    protocols: [],
    classifier: createRouteClassifier([], 'embedded'),
    restartMs: 0,
    routesMax: 3,
    clock: createSystemClock(),
    log: createSilentLog(),
  });
  const ended = new AbortController();
  const done = source.run(told.listener, ended.signal);
  t.teardown(async () => {
    ended.abort();
    await done;
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return told;
}

const session = '1002-isp BGP --- up 10:00:00.000 Established\n1006-  Routes: 1 imported\n0000 \n';
const route = '1007-203.0.113.0/24 unicast [isp 10:00:00.000] * (100)\n0000 \n';
const answers: Readonly<Record<string, string>> = {
  hello: '0001 BIRD 2.0.12 ready.\n',
  restrict: '0016 Access restricted\n',
  'show protocols all': session,
  "show route all primary protocol 'isp'": route,
};

t.test('nothing is asked before the right to change something was given up', async (t) => {
  const commands: string[] = [];
  const told = await converse(t, (command, socket) => {
    commands.push(command);
    socket.write(answers[command] ?? '9001 syntax error\n');
  });
  await told.until((routes) => routes.length === 1);
  t.same(new Set(commands), new Set(['hello', 'restrict', 'show protocols all', "show route all primary protocol 'isp'"])); // prettier-ignore
  t.same(commands.slice(0, 3), ['hello', 'restrict', 'show protocols all']);
});

t.test(
  'a daemon that vanishes in the middle of a table takes its routes along, and is asked again',
  async (t) => {
    let isBroken = false;
    const told = await converse(t, (command, socket) => {
      if (isBroken && command === 'hello') socket.destroy();
      else if (isBroken) socket.end('1007-203.0.113.0/24 unicast [isp');
      else socket.write(answers[command] ?? '');
    });
    await told.until((routes) => routes.length === 1);
    isBroken = true;
    await told.until((routes) => routes.length === 0);
    await told.untilReason(/ROUTE_SOURCE_UNAVAILABLE/);
    isBroken = false;
    await told.until((routes) => routes.length === 1);
    t.same(told.reasons, []);
  },
);

t.test('errors, junk and half a table are no routes', async (t) => {
  const bad: [string, RegExp][] = [
    ['9001 syntax error\n', /9001/],
    ['SSH-2.0-OpenSSH_9.2p1\n', /does not speak like BIRD/],
    [`${session}0000 \n`, /says more than it was asked/],
  ];
  for (const [text, reason] of bad) {
    const told = await converse(t, (command, socket) => {
      socket.write(command === 'show protocols all' ? text : (answers[command] ?? ''));
    });
    await told.untilReason(reason);
    t.same(told.routes, []);
  }
  let reads = 0;
  const told = await converse(t, (command, socket) => {
    const isTable = command.startsWith('show route');
    if (isTable && reads++ === 0) socket.end(route.slice(0, -7));
    else socket.write(answers[command] ?? '');
  });
  await told.until((routes) => routes.length === 1);
  t.equal(told.tables, 1, 'the half was not told');
  t.equal(reads, 2);
});

t.test('of a flood so many routes are told as a box may have, and how many there are', async (t) => {
  const flood = Array.from(
    { length: 9 },
    (_, at) => `1007-10.${at}.0.0/16 unicast [isp 10:00:00.000] * (100)\n`,
  );
  const told = await converse(t, (command, socket) => {
    socket.write(command.startsWith('show route') ? `${flood.join('')}0000 \n` : (answers[command] ?? ''));
  });
  await told.until((routes) => routes.length === 3);
  await told.untilReason(/ROUTES_CAPPED: BIRD has 9 routes, of which 3 are told/);
});
