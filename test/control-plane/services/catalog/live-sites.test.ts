import { setTimeout } from 'node:timers/promises';
import t from 'tap';

import { documentTypes, SteeringMap } from '../../../../common/contract/documents.ts';
import { TitleView } from '../../../../common/contract/titles.ts';
import { addTitle } from '../../support/add-title.ts';
import { eventually, openSigned, startPlane } from '../../support/control-plane.ts';
import { manifestWithFiles, startFleet } from '../../support/fleet.ts';

/** Titles are looked at every second. */
const reviewsMs = 2500;
const [atA, atB] = ['198.51.100.9', '203.0.113.9'];

t.test('a site’s viewers can play a title once enough copies stand there, over restarts too', async (t) => {
  const flags = ['--placement-live-copies-min', '2'];
  const { plane, encoder, a1, a2, b1 } = await startFleet(t, flags);
  await b1.beat({ routes: [{ prefix: '203.0.113.0/24', asPathLength: 0, class: 'embedded' }] });
  const title = await addTitle(plane, encoder, { name: 'Film', pinned: true });
  for (const box of [a1, b1]) await manifestWithFiles(plane, box, title.files.length);
  const view = async (on = plane) => (await on.call(`GET /v1/titles/${title.id}`)).as(TitleView);
  const play = (clientAddress: string) =>
    plane.call('POST /v1/playback-sessions', { body: { titleId: title.id, clientAddress } });
  const holdsAll = { holdings: { full: true, added: title.files, removed: [] } };
  await a1.beat(holdsAll);
  t.equal((await view()).state, 'filling', 'one of two copies');
  await a2.beat(holdsAll);
  const live = await eventually(view, ({ state }) => state === 'live');
  t.match(live, { state: 'live', waitingSites: ['isp-b'] });
  // Where viewers are is known shortly after the first has come.
  const refused = await eventually(
    () => play(atB),
    ({ status }) => status !== 201,
  );
  t.match(refused, { status: 409, json: { code: 'TITLE_NOT_LIVE', detail: /not live at isp-b yet/ } });
  t.equal((await play(atA)).status, 201);
  t.equal((await play('192.0.2.1')).status, 201, 'of no known site');

  await plane.stop();
  const again = await startPlane(t, { dataDir: plane.dataDir, flags });
  t.same((await view(again)).waitingSites, ['isp-b']);
});

t.test('once a site’s copies stand its viewers can play, and go on to when they are lost', async (t) => {
  const { plane, encoder, a1, b1 } = await startFleet(t);
  const title = await addTitle(plane, encoder, { name: 'Film', pinned: true });
  for (const box of [a1, b1]) await manifestWithFiles(plane, box, title.files.length);
  const view = async () => (await plane.call(`GET /v1/titles/${title.id}`)).as(TitleView);
  await a1.beat({ holdings: { full: true, added: title.files, removed: [] } });
  t.same((await eventually(view, ({ state }) => state === 'live')).waitingSites, ['isp-b']);
  await b1.beat({ holdings: { full: true, added: title.files, removed: [] } });
  t.equal((await eventually(view, ({ waitingSites }) => waitingSites === undefined)).waitingSites, undefined);
  await b1.beat({ holdings: { full: true, added: [], removed: [] } });
  await eventually(view, ({ holders }) => !holders.includes('isp-b-1'));
  t.equal((await view()).waitingSites, undefined);
});

t.test('a title is live once steering holds the map that says who has it', async (t) => {
  const { plane, encoder, steering, a1, b1 } = await startFleet(t);
  const title = await addTitle(plane, encoder, { name: 'Film', pinned: true });
  for (const box of [a1, b1]) await manifestWithFiles(plane, box, title.files.length);
  const view = async () => (await plane.call(`GET /v1/titles/${title.id}`)).as(TitleView);
  const held = async (after: number) => {
    const answer = await steering.call(`GET /v1/steering-map?after=${after}&waitMs=5000`);
    const typ = documentTypes.steeringMap;
    const map = await openSigned(plane, answer.text, { typ, schema: SteeringMap, audience: 'steering' });
    return { sequence: map.sequence, holdings: map.body.holdings?.name };
  };
  const before = await held(0);
  for (const box of [a1, b1]) await box.beat({ holdings: { full: true, added: title.files, removed: [] } });
  let shown = await held(before.sequence);
  while (shown.holdings === before.holdings) shown = await held(shown.sequence);
  await setTimeout(reviewsMs);
  t.equal((await view()).state, 'filling', 'it has the map on its way');
  void held(shown.sequence).catch(() => undefined);
  await eventually(view, ({ state }) => state === 'live');
});
