import t, { type Test } from 'tap';
import { PlaybackSession } from '../../../../common/contract/playback.ts';
import { TitleView } from '../../../../common/contract/titles.ts';
import { createManualClock, type ManualClock } from '../../../../common/runtime/manual-clock.ts';
import { addTitle } from '../../support/add-title.ts';
import { enrolNode, startPlane, temporaryDir, testNode } from '../../support/control-plane.ts';
import { until } from '../../support/until.ts';

/** A control plane that has just begun anew, with an origin that has not reported to it, and a title. */
async function startAgain(t: Test, clock: ManualClock) {
  const dataDir = await temporaryDir(t);
  const options = { dataDir, flags: ['--ingest-roots', dataDir, '--lease-ms', '5s'] };
  const first = await startPlane(t, options);
  const encoder = await enrolNode(first, 'encoder', { role: 'encoder' });
  const origin = await enrolNode(first, 'origin', { role: 'origin' });
  await origin.beat();
  const { id: titleId } = await addTitle(first, encoder, { name: 'Solaris' });
  await until(
    async () => (await first.call(`GET /v1/titles/${titleId}`)).as(TitleView),
    ({ state }) => state === 'live',
  );
  await first.stop();
  const plane = await startPlane(t, { ...options, clock });
  const play = () => plane.call('POST /v1/playback-sessions', { body: { titleId } });
  return { origin: testNode(plane, origin), play };
}

t.test('who starts a playback when the core is back is sent to the origin that it knew', async (t) => {
  const clock = createManualClock({ nowMs: Date.now() });
  const { play } = await startAgain(t, clock);
  const waysOf = async () => (await play()).as(PlaybackSession).pathways.map(({ id }) => id);
  t.strictSame(await waysOf(), ['origin'], 'it has not reported yet');
  await clock.advance(9000);
  t.strictSame(await waysOf(), ['origin'], 'it may still be about to');
  await clock.advance(1500);
  t.match(await play(), { status: 503, json: { code: 'NO_PATHWAY' } }, 'it is gone');
});

t.test('an origin that tells the new process that it drains is no way to a playback', async (t) => {
  const { origin, play } = await startAgain(t, createManualClock({ nowMs: Date.now() }));
  t.equal((await origin.beat({ state: 'draining' })).status, 200);
  t.match(await play(), { status: 503, json: { code: 'NO_PATHWAY' } });
});
