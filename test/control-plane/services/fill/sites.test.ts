import t from 'tap';

import { documentTypes, FillManifest } from '../../../../common/contract/documents.ts';
import { FillPlanView } from '../../../../common/contract/fill.ts';
import { FillSites } from '../../../../common/contract/fill-sites.ts';
import { ManifestDiff } from '../../../../common/contract/manifest-diff.ts';
import { createManifestPoll } from '../../../../appliance/uplink/manifest-poll.ts';
import { addTitle } from '../../support/add-title.ts';
import {
  eventually,
  openSigned,
  startPlane,
  type TestNode,
  type TestPlane,
} from '../../support/control-plane.ts';
import { manifestWithFiles, pollManifest, startFleet } from '../../support/fleet.ts';

function open(plane: TestPlane, jws: string, audience: string) {
  return openSigned(plane, jws, { typ: documentTypes.fillManifest, schema: FillManifest, audience });
}

/** The first manifest of a node that is so. */
async function manifestThat(plane: TestPlane, node: TestNode, isSo: (body: FillManifest) => boolean) {
  const ask = async () => open(plane, (await pollManifest(node)).text, node.id);
  return eventually(ask, ({ body }) => isSo(body));
}

t.test('a site fills at any time until it has a time zone; then in the default window', async (t) => {
  const { plane, a1, b1 } = await startFleet(t);
  t.equal((await manifestThat(plane, a1, () => true)).body.window, undefined);
  const reply = await plane.call('PATCH /v1/fill/sites/isp-a', { body: { timeZone: 'Europe/Berlin' } });
  const window = { startMinute: 120, endMinute: 840, timeZone: 'Europe/Berlin', jitterMinutes: 120 };
  t.match(reply.as(FillSites).sites, [
    { site: 'isp-a', appliances: 2, window, chosen: ['timeZone'] },
    { site: 'isp-b', appliances: 1, chosen: [] },
  ]);
  const told = await manifestThat(plane, a1, (body) => body.window !== undefined);
  t.same(told.body.window, window);
  const others = (await manifestThat(plane, b1, () => true)).body;
  t.match(others, { site: 'isp-b', window: undefined }, 'the other site has none; each is told by name');
  const hours = { startMinute: 1320, endMinute: 360 };
  await plane.call('PATCH /v1/fill/sites/isp-a', { body: { hours, jitterMinutes: 0 } });
  const night = await manifestThat(plane, a1, ({ window: now }) => now?.startMinute === 1320);
  t.same(night.body.window, { ...hours, timeZone: 'Europe/Berlin', jitterMinutes: 0 });
  await plane.call('PATCH /v1/fill/sites/isp-a', { body: { hours: 'any' } });
  t.equal((await manifestThat(plane, a1, (body) => body.window === undefined)).body.window, undefined);
});

t.test('caps: the lowest holds, a site shares its own among its boxes', async (t) => {
  const { plane, a1, b1 } = await startFleet(t, ['--fill-cap-bytes-per-second', '9000']);
  const cap = async (node: TestNode, wanted: number) =>
    (await manifestThat(plane, node, (body) => body.capBytesPerSecond === wanted)).body.capBytesPerSecond;
  t.equal(await cap(a1, 9000), 9000);
  await plane.call('PATCH /v1/fill/sites/isp-a', { body: { capBytesPerSecond: 10_001 } });
  t.equal(await cap(a1, 5000), 5000, 'two boxes');
  t.equal(await cap(b1, 9000), 9000);
  await plane.call('PATCH /v1/fill/sites/isp-a', { body: { applianceCapBytesPerSecond: 300 } });
  t.equal(await cap(a1, 300), 300);
  const back = { capBytesPerSecond: null, applianceCapBytesPerSecond: null };
  const reply = await plane.call('PATCH /v1/fill/sites/isp-a', { body: back });
  t.match(reply.as(FillSites).sites[0], { chosen: [], applianceCapBytesPerSecond: 9000 });
});

t.test('a partner’s sites share its cap, a site’s boxes that of a link; both are shown', async (t) => {
  const { plane, a1, b1, encoder } = await startFleet(t);
  for (const site of ['isp-a', 'isp-b'])
    await plane.call(`PATCH /v1/fill/sites/${site}`, { body: { partner: 'isp' } });
  await plane.call('PATCH /v1/fill/partners/isp', { body: { capBytesPerSecond: 9001 } });
  const cap = (wanted: number) => (body: FillManifest) => body.capBytesPerSecond === wanted;
  t.ok(await manifestThat(plane, a1, cap(3000)), 'three boxes in two sites');
  t.ok(await manifestThat(plane, b1, cap(3000)));
  const link = { from: 'origin', capBytesPerSecond: 1001 };
  const reply = await plane.call('PATCH /v1/fill/sites/isp-a', { body: { links: [link] } });
  t.match(reply.as(FillSites).sites, [
    { partner: 'isp', partnerCapBytesPerSecond: 9001, links: [link], applianceCapBytesPerSecond: 3000 },
    { site: 'isp-b', partner: 'isp', partnerCapBytesPerSecond: 9001 },
  ]);
  const told = await manifestThat(plane, a1, ({ links }) => links !== undefined);
  t.same(told.body.links, [{ from: 'origin', nodes: ['origin'], capBytesPerSecond: 500 }], 'two boxes');
  t.equal((await manifestThat(plane, b1, () => true)).body.links, undefined);
  await addTitle(plane, encoder, { name: 'Film', pinned: true });
  await manifestThat(plane, a1, ({ files }) => files.length > 0);
  const plan = (await plane.call('GET /v1/fill/plan')).as(FillPlanView);
  const capOf = (to: string) =>
    plan.links.find(({ kind, ...one }) => kind === 'origin' && one.to === to)?.capBytesPerSecond;
  t.equal(capOf('isp-a'), 1001);
  t.equal(capOf('isp-b'), undefined);
  await plane.call('PATCH /v1/fill/sites/isp-b', { body: { partner: null } });
  t.ok(await manifestThat(plane, a1, cap(4500)), 'two boxes are left to share it');
  await plane.call('PATCH /v1/fill/partners/isp', { body: { capBytesPerSecond: null } });
  t.ok(await manifestThat(plane, a1, (body) => body.capBytesPerSecond === undefined));
});

t.test('what was chosen outlasts a restart, and a default zone holds for all', async (t) => {
  const flags = [
    '--fill-time-zone',
    'Asia/Tokyo',
    '--fill-window',
    '01:30-05:00',
    '--fill-jitter-minutes',
    '5',
  ];
  const first = await startPlane(t, { flags });
  await first.call('PATCH /v1/fill/sites/isp-z', { body: { timeZone: 'Asia/Seoul', partner: 'isp' } });
  await first.call('PATCH /v1/fill/partners/isp', { body: { capBytesPerSecond: 7 } });
  await first.stop();
  const second = await startPlane(t, { dataDir: first.dataDir, flags });
  const window = { startMinute: 90, endMinute: 300, timeZone: 'Asia/Seoul', jitterMinutes: 5 };
  t.match((await second.call('GET /v1/fill/sites')).json, {
    sites: [{ site: 'isp-z', appliances: 0, window, partnerCapBytesPerSecond: 7 }],
  });
});

t.test('what cannot be is refused', async (t) => {
  const plane = await startPlane(t);
  for (const [body, detail] of [
    [{ timeZone: 'Europe/Atlantis' }, /Atlantis/],
    [{ hours: { startMinute: 60, endMinute: 60 } }, /ends when it begins/],
    [{ hours: { startMinute: 60, endMinute: 1440 } }, /./],
    [{ hours: 'sometimes' }, /./],
    [{ jitterMinutes: 241 }, /./],
    [{ capBytesPerSecond: 0 }, /./],
    [{ capBytesPerSecond: -1 }, /./],
    [{ links: [] }, /./],
    [{ links: Array.from({ length: 2 }, () => ({ from: 'origin', capBytesPerSecond: 1 })) }, /named once/],
    [{ links: [{ from: 'origin', capBytesPerSecond: 0 }] }, /./],
    [{}, /./],
    [{ speed: 1 }, /./],
  ] as const) {
    const answer = await plane.call('PATCH /v1/fill/sites/isp-a', { body });
    t.match(answer, { status: 400, json: { code: 'INVALID', detail } }, JSON.stringify(body));
  }
  t.same((await plane.call('GET /v1/fill/sites')).json, { sites: [] });
  const flag = async (name: string, value: string) =>
    t.rejects(startPlane(t, { flags: [name, value] }), {
      code: 'CONFIG_INVALID',
      message: new RegExp(value),
    });
  await flag('--fill-window', '2am-2pm');
  await flag('--fill-time-zone', 'Europe/Atlantis');
});

t.test('an urgent title is marked file by file, until it is no more', async (t) => {
  const { plane, encoder, a1 } = await startFleet(t);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  const calm = await manifestWithFiles(plane, a1, title.files.length);
  t.notOk(calm.body.files.some(({ urgent }) => urgent));
  const answer = await plane.call(`PATCH /v1/titles/${title.id}`, { body: { pinned: true, urgent: true } });
  t.match(answer.json, { pinned: true, urgent: true });
  const urgent = await manifestThat(plane, a1, ({ files }) => files.some((one) => one.urgent === true));
  t.ok(urgent.body.files.every((one) => one.urgent));
  await plane.call(`PATCH /v1/titles/${title.id}`, { body: { urgent: false } });
  const after = await manifestThat(plane, a1, ({ files }) => files.every((one) => one.urgent === undefined));
  t.ok(after.sequence > urgent.sequence);
});

t.test(
  'who holds a manifest gets the difference, makes the whole of it, and falls back where it is wrong',
  async (t) => {
    const { plane, encoder, a1 } = await startFleet(t);
    // Pinned titles come first, so that what they share with the next one stays where it is.
    for (const name of ['One', 'Two', 'Three']) await addTitle(plane, encoder, { name, pinned: true });
    const filesOf =
      (count: number) =>
      ({ files }: FillManifest) =>
        new Set(files.map(({ bundle }) => bundle)).size === count;
    const held = await manifestThat(plane, a1, filesOf(3));
    await addTitle(plane, encoder, { name: 'Four' });
    const whole = await manifestThat(plane, a1, filesOf(4));
    const wholeText = (await pollManifest(a1)).text;
    const route = `GET /v1/nodes/${a1.id}/fill-manifest` as const;
    const asked: boolean[] = [];
    const link = {
      fillManifest: async ({ after, diff }: { after: number; diff: boolean }) => {
        asked.push(diff);
        return (await a1.call(`${route}?after=${String(after)}&diff=${String(diff)}`)).text;
      },
    };
    const { signal } = new AbortController();
    const sent = await a1.call(`${route}?after=${String(held.sequence)}&diff=true`);
    t.match(sent.headers, { 'content-type': /json/, 'x-sequence': String(whole.sequence) });
    t.ok(sent.text.length < wholeText.length / 2, `${sent.text.length} of ${wholeText.length} bytes`);
    t.equal(sent.as(ManifestDiff).base, held.sequence);
    t.equal(await createManifestPoll(link, { current: held })(held.sequence, signal), wholeText);
    const foreign = { ...held, body: { ...held.body, files: held.body.files.toReversed() } };
    const poll = createManifestPoll(link, { current: foreign });
    const wrong = await poll(held.sequence, signal);
    t.not(wrong, wholeText);
    await t.rejects(open(plane, wrong ?? '', a1.id), { code: 'SIGNATURE_INVALID' });
    t.equal(await poll(held.sequence, signal), wholeText, 'then the whole is asked for');
    t.same(asked, [true, true, false]);
    t.equal(await createManifestPoll(link, { current: undefined })(0, signal), wholeText);
    const unknown = await a1.call(`${route}?after=0&diff=true`);
    t.equal(unknown.text, wholeText, 'whole for who holds what is not known here');
  },
);
