import t, { type Test } from 'tap';
import { AccessTokenReply } from '../../../../common/contract/credentials.ts';
import { PlaybackSession } from '../../../../common/contract/playback.ts';
import { ProfileView, UnlockReply } from '../../../../common/contract/profiles.ts';
import { TitleSearchReply } from '../../../../common/contract/search.ts';
import type { TitleDetails } from '../../../../common/contract/title-metadata.ts';
import { TitleList, TitleView } from '../../../../common/contract/titles.ts';
import { addTitle } from '../../support/add-title.ts';
import { enrolNode, startPlane, temporaryDir, type Answer } from '../../support/control-plane.ts';
import { addPerson } from '../../support/sign-in.ts';
import { until } from '../../support/until.ts';

t.setTimeout(120_000);

const germany = '198.51.101.1';
const nowhere = '203.0.113.7';
const day = 86_400_000;

/** A control plane that knows countries, with titles of one family that are all live, and a viewer. */
async function openLab() {
  const dataDir = await temporaryDir(t);
  const geoFile = new URL('../../../fixtures/places.mmdb', import.meta.url).pathname;
  const flags = ['--ingest-roots', dataDir, '--lease-ms', '10m', '--geo-file', geoFile];
  const plane = await startPlane(t, { dataDir, flags: [...flags, '--trusted-proxies', '127.0.0.1/32'] });
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const origin = await enrolNode(plane, 'origin', { role: 'origin' });
  await origin.beat();
  const film = (await addTitle(plane, encoder, { name: 'Stalker film' })).id;
  const made = await plane.call('POST /v1/titles', {
    body: { name: 'Stalker series', details: { kind: 'series' } },
  });
  const series = made.as(TitleView).id;
  const details = { kind: 'episode', parentId: series, number: 1 } as const;
  const episode = (await addTitle(plane, encoder, { name: 'Stalker episode', details })).id;
  await until(
    async () => (await plane.call('GET /v1/titles')).as(TitleList).titles,
    (titles) => titles.every(({ state }) => state === 'live'),
  );
  const grant = { role: 'viewer', sub: 'usr_viewerviewer', ttlS: 600 };
  const { token } = (await plane.call('POST /v1/access-tokens', { body: grant })).as(AccessTokenReply);
  const ask = (route: `${string} /${string}`, from: string, more: { body?: unknown; unlock?: string } = {}) =>
    plane.call(route, {
      ...{ token, body: more.body },
      headers: {
        'x-forwarded-for': from,
        ...(more.unlock !== undefined && { 'profile-unlock': more.unlock }),
      },
    });
  const put = async (id: string, name: string, more: TitleDetails): Promise<Answer> =>
    plane.call(`PUT /v1/titles/${id}/metadata`, { body: { name, ...more }, headers: { 'if-match': '*' } });
  return { plane, encoder, film, series, episode, details, token, ask, put };
}

type Lab = Awaited<ReturnType<typeof openLab>>;

/** Which of the titles a viewer meets anywhere: all ways must agree, or it is a leak. */
async function met(
  t: Test,
  { film, series, episode, ask }: Lab,
  { from = germany, profile, unlock }: { from?: string; profile?: string; unlock?: string } = {},
): Promise<string[]> {
  const query = profile === undefined ? '' : `profileId=${profile}`;
  const show = { ...(unlock !== undefined && { unlock }) };
  const listed = (await ask(`GET /v1/titles?${query}`, from, show)).as(TitleList).titles.map(({ id }) => id);
  for (const q of ['q=stalker', 'q=stal&typing=true', 'q=stakler']) {
    const path = `/v1/search/titles?${q}&facets=true&${query}` as const;
    const search = async () => (await ask(`GET ${path}`, from, show)).as(TitleSearchReply);
    const first = await search();
    t.strictSame(
      first.hits.filter(({ id }) => !listed.includes(id)),
      [],
      'what is withheld is so at once',
    );
    // What is granted is found once the index knows of it.
    const found = await until(search, ({ total }) => total === listed.length);
    t.strictSame(found.hits.map(({ id }) => id).sort(), [...listed].sort(), `search ${q}`);
    const counted = Object.values(found.facets?.['kind'] ?? {}).reduce((sum, count) => sum + count, 0);
    t.equal(counted, listed.length, 'facets count no others');
    t.strictSame(found.states, {});
  }
  for (const id of [film, series, episode]) {
    const isListed = listed.includes(id);
    const shown = await ask(`GET /v1/titles/${id}?${query}`, from, show);
    t.equal(shown.status, isListed ? 200 : 404);
    const unknown = await ask(`GET /v1/titles/title_unknown1?${query}`, from, show);
    if (!isListed)
      t.equal(withoutId(shown, id), withoutId(unknown, 'title_unknown1'), 'as if it were not there');
    const order = { ...(profile !== undefined && { profileId: profile }) };
    const play = (titleId: string) =>
      ask('POST /v1/playback-sessions', from, { ...show, body: { titleId, ...order } });
    const played = await play(id);
    const isPlayed = isListed && id !== series;
    t.equal(played.status, isPlayed ? 201 : id === series && isListed ? 409 : 404, played.text);
    if (!isListed)
      t.equal(
        withoutId(played, id),
        withoutId(await play('title_unknown1'), 'title_unknown1'),
        'nor when played',
      );
  }
  return [film, series, episode].flatMap((id, at) =>
    listed.includes(id) ? (['film', 'series', 'episode'][at] ?? []) : [],
  );
}

function withoutId({ text }: Answer, id: string): string {
  return text.replaceAll(id, '<id>');
}

const lab = await openLab();

t.test('viewers meet what they may have, and nothing else', async (t) => {
  const { plane, film, series, episode, details, put, ask } = lab;
  await until(
    async () => (await ask('GET /v1/search/titles?q=stalker', germany)).as(TitleSearchReply).total,
    (total) => total === 3,
  );
  const release = (stage: 'draft' | 'published' | 'retired', windows: object[] = []) => ({
    release: { stage, windows },
  });

  await t.test('by state', async (t) => {
    t.strictSame(await met(t, lab), ['film', 'series', 'episode']);
    for (const stage of ['draft', 'retired'] as const) {
      t.match(await put(film, 'Stalker film', release(stage)), { status: 200 });
      t.strictSame(await met(t, lab), ['series', 'episode'], stage);
      t.match(
        await plane.call(`GET /v1/titles/${film}`),
        { json: { availability: stage } },
        'operators see it',
      );
      const body = { titleId: film };
      t.match(await plane.call('POST /v1/playback-sessions', { body }), { status: 201 }, 'and look at it');
    }
    const soon = [{ fromMs: Date.now() + day }];
    await put(film, 'Stalker film', release('published', soon));
    t.strictSame(await met(t, lab), ['series', 'episode']);
    t.match(await plane.call(`GET /v1/titles/${film}`), { json: { availability: 'scheduled' } });
    t.match(await put(film, 'x', release('published', [{ fromMs: 2, toMs: 1 }])), { status: 400 });
    t.match(await put(film, 'x', release('published', [{ regions: ['Germany'] }])), { status: 400 });
    await put(film, 'Stalker film', {});
  });

  await t.test('by region', async (t) => {
    await put(film, 'Stalker film', release('published', [{ regions: ['DE'], toMs: Date.now() + day }]));
    t.strictSame(await met(t, lab), ['film', 'series', 'episode']);
    t.strictSame(await met(t, lab, { from: nowhere }), ['series', 'episode'], 'no country is known');
    await put(film, 'Stalker film', release('published', [{ regions: ['AT'] }, { toMs: 1000 }]));
    t.strictSame(await met(t, lab), ['series', 'episode']);
    await put(film, 'Stalker film', {});
  });

  await t.test('by what it is part of', async (t) => {
    await put(series, 'Stalker series', { kind: 'series', ...release('draft') });
    t.strictSame(await met(t, lab), ['film']);
    await put(series, 'Stalker series', { kind: 'series' });
    await put(episode, 'Stalker episode', { ...details, ...release('draft') });
    t.strictSame(await met(t, lab), ['film'], 'a series with nothing in it is not shown');
    await put(episode, 'Stalker episode', details);
  });

  await t.test('by the age of the profile', async (t) => {
    await put(film, 'Stalker film', { maturity: 12 });
    await put(series, 'Stalker series', { kind: 'series', maturity: 6 });
    await put(episode, 'Stalker episode', { ...details, maturity: 16 });
    t.strictSame(await met(t, lab), ['film', 'series', 'episode'], 'no profiles, no limit');
    const made = await ask('POST /v1/profiles', germany, { body: { name: 'Child', maturityMax: 12 } });
    t.equal(made.status, 404, 'a viewer without an account has none');
  });
});

t.test('a limit holds also for who leaves the profile out', async (t) => {
  const { plane, film, series, episode, details, put } = lab;
  const account = await addPerson(plane, { email: 'ada@example.org', role: 'viewer', name: 'Ada' });
  const grant = { role: 'viewer', sub: account.id, ttlS: 600 };
  const { token } = (await plane.call('POST /v1/access-tokens', { body: grant })).as(AccessTokenReply);
  const ask: Lab['ask'] = (route, from, more = {}) =>
    plane.call(route, {
      ...{ token, body: more.body },
      headers: {
        'x-forwarded-for': from,
        ...(more.unlock !== undefined && { 'profile-unlock': more.unlock }),
      },
    });
  const own = { ...lab, token, ask };
  await put(film, 'Stalker film', { maturity: 12 });
  await put(series, 'Stalker series', { kind: 'series', maturity: 6 });
  await put(episode, 'Stalker episode', { ...details, maturity: 16 });
  const add = async (profile: object) =>
    (await plane.call('POST /v1/profiles', { body: { account: account.id, ...profile } })).as(ProfileView).id;
  const child = await add({ name: 'Child', maturityMax: 12 });
  const parent = await add({ name: 'Parent', pin: '2468' });
  await until(
    async () => (await ask('GET /v1/search/titles?q=stalker', germany)).as(TitleSearchReply).total,
    (total) => total === 1,
  );
  t.strictSame(await met(t, own, { profile: child }), ['film'], 'the episode is for older people');
  t.strictSame(await met(t, own), ['film'], 'no profile: as the one that asks for no PIN');
  t.match(await ask(`GET /v1/titles?profileId=${parent}`, germany), { json: { code: 'PROFILE_LOCKED' } });
  const opened = await ask(`POST /v1/profiles/${parent}/unlock`, germany, { body: { pin: '2468' } });
  const { unlock } = opened.as(UnlockReply);
  t.strictSame(await met(t, own, { profile: parent, unlock }), ['film', 'series', 'episode']);

  const atMs = Date.now();
  const report = (titleId: string) => {
    const said = { titleId, atMs, sequence: 1 };
    const viewing = { viewingId: 'viewing-1', startedAtMs: atMs, watchedMs: 0 };
    const reports = [
      { kind: 'list', ...said, listed: true },
      { kind: 'rating', ...said, rating: 'up' },
      { kind: 'forget', ...said },
      { kind: 'progress', ...said, ...viewing, positionMs: 800_000_000 },
    ];
    const body = { deviceId: 'the-tv-00', sentAtMs: atMs, reports };
    return ask(`POST /v1/profiles/${child}/viewing`, germany, { body });
  };
  const hidden = await report(episode);
  t.match(hidden.json, { accepted: 0, refused: Array<object>(4).fill({ code: 'TITLE_UNKNOWN' }) });
  const unknown = withoutId(await report('title_unknown1'), 'title_unknown1');
  t.equal(withoutId(hidden, episode), unknown, 'nor when reported of');
  t.match((await report(film)).json, { accepted: 3, refused: [{ code: 'POSITION_BEYOND_END' }] });
  const shelf = async (name: string) => (await ask(`GET /v1/profiles/${child}/${name}`, germany)).json;
  t.match(await shelf('my-list'), { titles: [{ titleId: film }] });
  t.match(await shelf('ratings'), { ratings: [{ titleId: film }] });
  await put(film, 'Stalker film', {});
  t.strictSame(await shelf('my-list'), { titles: [] });
  t.strictSame(await shelf('ratings'), { ratings: [] });
  t.strictSame(await met(t, own, { profile: child }), [], 'what has no rating is for grown-ups');
});

t.test('viewers read titles in their language', async (t) => {
  const { plane, film, token, put } = lab;
  await put(film, 'Solaris', {
    synopsis: 'A planet <b>thinks</b>.',
    people: [{ name: 'Natalya Bondarchuk', role: 'actor', character: 'Hari' }],
    genres: ['Science fiction'],
    translations: [
      { language: 'ru', name: 'Солярис', synopsis: 'Планета мыслит.' },
      { language: 'de', synopsis: 'Ein Planet denkt.' },
    ],
  });
  const read = async (language: string, as = token) =>
    (await plane.call(`GET /v1/titles/${film}`, { token: as, headers: { 'accept-language': language } }))
      .json;
  t.match(await read('ru-RU,en;q=0.5'), { name: 'Солярис', synopsis: 'Планета мыслит.' });
  t.match(await read('de'), {
    name: 'Solaris',
    synopsis: 'Ein Planet denkt.',
    people: [{ character: 'Hari' }],
  });
  t.match(await read('fr'), { name: 'Solaris', synopsis: 'A planet <b>thinks</b>.' });
  t.match(await read('ru', plane.operator), { name: 'Solaris' }, 'operators see it as it is');
  const list = await plane.call('GET /v1/titles', { token, headers: { 'accept-language': 'ru' } });
  t.match(list.json, { titles: [{ name: 'Солярис', genres: ['Science fiction'] }, {}, {}] });
  t.notMatch(list.text, 'synopsis', 'lists are short');
});

t.test('an episode names the one that comes after it', async (t) => {
  const { plane, encoder, ask, put } = lab;
  const hold = async (name: string, details: TitleDetails) =>
    (await plane.call('POST /v1/titles', { body: { name, details } })).as(TitleView).id;
  const series = await hold('Dekalog', { kind: 'series' });
  const second = await hold('Season 2', { kind: 'season', parentId: series, number: 2 });
  const first = await hold('Season 1', { kind: 'season', parentId: series, number: 1 });
  const specials = await hold('Specials', { kind: 'season', parentId: series, number: 0 });
  const add = async (name: string, parentId: string, number: number) =>
    (await addTitle(plane, encoder, { name, details: { kind: 'episode', parentId, number } })).id;
  const three = await add('Three', second, 1);
  const two = await add('Two', first, 10);
  const one = await add('One', first, 9);
  const special = await add('Special', specials, 1);
  await until(
    async () => (await plane.call('GET /v1/titles')).as(TitleList).titles,
    (titles) => titles.every(({ state }) => state === 'live'),
  );
  const after = async (titleId: string): Promise<string | undefined> =>
    (await ask('POST /v1/playback-sessions', nowhere, { body: { titleId } })).as(PlaybackSession).next
      ?.titleId;
  t.strictSame(await Promise.all([one, two, three].map(after)), [two, three, undefined]);
  t.equal(await after(special), undefined, 'specials lead nowhere');
  t.equal(await after(lab.film), undefined);
  const draft = { kind: 'episode', parentId: first, number: 10, release: { stage: 'draft' } } as const;
  const translations = [{ language: 'de', name: 'Zwei' }];
  await put(two, 'Two', { kind: 'episode', parentId: first, number: 10, translations });
  const inGerman = { body: { titleId: one }, headers: { 'accept-language': 'de-AT, en;q=0.5' } };
  t.match((await plane.call('POST /v1/playback-sessions', inGerman)).json, {
    ...{ name: 'One', next: { titleId: two, name: 'Zwei' } },
  });
  await put(two, 'Two', draft);
  t.equal(await after(one), three, 'passing over what may not be seen');
  const body = { titleId: one };
  t.match((await plane.call('POST /v1/playback-sessions', { body })).json, {
    next: { titleId: two, name: 'Two' },
  });
});
