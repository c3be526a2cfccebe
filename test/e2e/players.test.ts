import t from 'tap';
import { browserMissing } from '../support/browser.ts';
import { breakBox } from '../support/players/faults.ts';
import {
  changeOrder,
  requestsAfterAnswer,
  stallMsMax,
  startPlayers,
  until,
  watchToTheEnd,
} from '../support/players/measure.ts';
import { startPlayersRig } from '../support/players/rig.ts';

const timeoutMs = 240_000;
/** Of both tracks the segment that was decided on before the answer came, and one playlist. */
const lateRequestsMax = 3;

t.setTimeout(timeoutMs);
const options = { timeout: timeoutMs, skip: browserMissing };
t.test(
  'hls.js, Shaka and dash.js follow steering, and survive a box that falls silent',
  options,
  async (t) => {
    await using rig = await startPlayersRig({
      portOffset: 24_000,
      filmS: 32,
      ttlS: { healthy: 2, incident: 2 },
    });
    const session = await rig.session();
    const players = await startPlayers(rig, { session, settings: ['ours'] });
    await until(players, ({ positionS }) => positionS > 4, 60);
    const change = await changeOrder(rig, session);
    await until(players, ({ positionS }) => positionS > 16, 60);
    const moved = players.map(({ requests }) => requests.findLast(({ to }) => to !== 'steering')?.to);
    t.ok(
      moved.every((box) => box !== undefined && box !== change.left && box === moved[0]),
      `all went where steering said: ${moved.join(', ')}`,
    );
    const late = players.map(({ requests }) => requestsAfterAnswer({ requests }, change));
    await breakBox(rig, { fault: 'stopped', victim: moved[0] ?? '', session });
    for (const [at, { name, last, requests }] of (await watchToTheEnd(players, 60)).entries()) {
      const sent = Map.groupBy(requests, ({ to }) => to);
      t.comment(
        name,
        JSON.stringify({ ...last, requests: [...sent].map(([to, of]) => `${to} ${of.length}`) }),
      );
      t.ok(last.ended, `${name}: played to the end`);
      t.ok(last.stallMs <= stallMsMax, `${name}: stalled ${Math.round(last.stallMs)} ms`);
      t.ok(
        (late[at] ?? 0) <= lateRequestsMax,
        `${name}: ${late[at] ?? 0} more requests to the box that it was to leave`,
      );
    }
  },
);
