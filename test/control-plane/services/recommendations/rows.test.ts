import t, { type Test } from 'tap';
import { EventBatchReply } from '../../../../common/contract/playback.ts';
import { RecommendationModels } from '../../../../common/contract/recommendation-models.ts';
import type { Row, RowsReply } from '../../../../common/contract/rows.ts';
import { RowsReport } from '../../../../common/contract/rows-report.ts';
import { TitleList } from '../../../../common/contract/titles.ts';
import {
  filmGenre,
  filmName,
  nowhere,
  openRowsLab,
  startRowsPlane,
  type TestViewer,
} from '../../support/rows-lab.ts';
import { nearcastCli } from '../../../support/nearcast-cli.ts';
import { until } from '../../support/until.ts';

t.setTimeout(240_000);

const day = 86_400_000;
const lab = await openRowsLab(t, 12);
const { plane, films, series, episodes, put } = lab;
const [first = '', second = '', third = '', fourth = ''] = films;

const idsOf = ({ rows }: Pick<RowsReply, 'rows'>): string[] =>
  rows.flatMap(({ titles }) => titles.map(({ titleId }) => titleId));
const rowOf = ({ rows }: RowsReply, kind: Row['kind']): string[] =>
  rows.flatMap((row) => (row.kind === kind ? row.titles.map(({ titleId }) => titleId) : []));

/** What somebody is shown, which is among what it may have, and each once. */
async function shown(
  t: Test,
  viewer: TestViewer,
  { profile, ...options }: { profile?: string; from?: string } = {},
): Promise<string[]> {
  const query = profile === undefined ? '' : `?profileId=${profile}`;
  const rows = await viewer.rows(profile, options);
  const ids = idsOf(rows);
  const { titles } = (await viewer.ask(`GET /v1/titles${query}`, options)).as(TitleList);
  const mayHave = new Set(titles.map(({ id }) => id));
  t.strictSame(
    ids.filter((id) => !mayHave.has(id)),
    [],
    'nothing that is not in the list of titles',
  );
  t.equal(new Set(ids).size, ids.length, 'each title once');
  for (const id of [...films, series, ...episodes])
    if (!mayHave.has(id)) t.notOk(rows.text.includes(id), `${id} is named nowhere, as a reason neither`);
  return ids;
}

const ada = await lab.addViewer('ada');
const adas = await ada.addProfile({ name: 'Ada' });

t.test('somebody new is shown what there is', async (t) => {
  const found = await until(
    () => shown(t, ada),
    (ids) => ids.length === films.length + 1,
  );
  t.ok(found.includes(series), 'a series as a whole');
  t.notOk(episodes.some((id) => found.includes(id)));
  const rows = await ada.rows(adas);
  t.ok(rowOf(rows, 'top').length >= 4);
  t.ok(rowOf(rows, 'new').length > 0);
  for (const row of rows.rows)
    for (const { reason, propensity, name } of row.titles) {
      t.ok(['popular', 'new', 'genre', 'trending'].includes(reason.kind), reason.kind);
      t.ok(propensity > 0 && propensity <= 1);
      t.ok(name.length > 0);
    }
  const same = await ada.rows(adas, { seed: 7 });
  const again = await ada.rows(adas, { seed: 7 });
  t.strictSame(idsOf(same), idsOf(again), 'the same seed gives the same rows');
  t.match(await ada.ask('GET /v1/rows?profileId=prf_unknownunknown'), { status: 404 });
  t.match(
    await plane.call('GET /v1/rows'),
    { status: 403 },
    'an operator does not see what somebody is shown',
  );
});

t.test('what was begun goes on; what was finished, hidden or rated down does not come again', async (t) => {
  await ada.tell(adas, first, 0.5);
  await ada.tell(adas, second, 0.99);
  await ada.tell(adas, third, 'hide');
  await ada.tell(adas, fourth, 'down');
  const rows = await ada.rows(adas);
  t.strictSame(rowOf(rows, 'continue'), [first]);
  t.match(rows.rows[0], { kind: 'continue', titles: [{ reason: { kind: 'continue' } }] });
  t.equal(idsOf(rows).filter((id) => id === first).length, 1, 'and nowhere else');
  for (const id of [second, third, fourth]) t.notOk(idsOf(rows).includes(id));
  const because = rows.rows.filter(({ kind }) => kind === 'because');
  t.match(because, [{ because: { titleId: second, name: filmName(1) } }], 'because of what was finished');

  await ada.tell(adas, episodes[0] ?? '', 0.5);
  t.strictSame(rowOf(await ada.rows(adas), 'continue'), [episodes[0], first], 'the latest first');
  await ada.tell(adas, episodes[0] ?? '', 1);
  const next = (await ada.rows(adas)).rows[0]?.titles[0];
  t.match(next, { titleId: episodes[1], reason: { kind: 'next-episode' } });
  t.notOk(idsOf(await ada.rows(adas)).includes(series), 'a series that was begun is not offered anew');
  await ada.tell(adas, episodes[1] ?? '', 1);
  t.strictSame(rowOf(await ada.rows(adas), 'continue'), [first], 'nothing comes after the last');
  await ada.tell(adas, first, 'hide');
  t.strictSame(rowOf(await ada.rows(adas), 'continue'), [], 'what is hidden is not continued either');
  await shown(t, ada, { profile: adas });
});

t.test('rows hold nothing that may not be had, from the moment on', async (t) => {
  const child = await ada.addProfile({ name: 'Child', maturityMax: 7 });
  const grown = await ada.addProfile({ name: 'Grown' });
  await ada.tell(grown, second, 0.99);
  const everything = films.length + 1;
  const has = (ids: string[], id: string): boolean => ids.includes(id);
  const comesBack = (id: string, options: { from?: string } = {}) =>
    until(
      () => shown(t, ada, { profile: child, ...options }),
      (ids) => ids.includes(id),
    );
  t.equal((await shown(t, ada, { profile: child })).length, everything);
  const facts = { genres: ['Drama'], maturity: 6 };
  await ada.tell(child, third, 0.5);
  t.strictSame(rowOf(await ada.rows(child), 'continue'), [third], 'what was begun least of all');
  await put(third, filmName(2), { ...facts, release: { stage: 'draft' } });
  t.notOk(has(await shown(t, ada, { profile: child }), third), 'a draft');
  await put(third, filmName(2), { ...facts, release: { stage: 'published', windows: [{ toMs: 1000 }] } });
  t.notOk(has(await shown(t, ada, { profile: child }), third), 'after its window');
  await put(third, filmName(2), {
    ...facts,
    release: { stage: 'published', windows: [{ regions: ['DE'], toMs: Date.now() + day }] },
  });
  await comesBack(third);
  t.notOk(has(await shown(t, ada, { profile: child, from: nowhere }), third), 'in another country');
  await put(third, filmName(2), { ...facts, maturity: 12 });
  t.notOk(has(await shown(t, ada, { profile: child }), third), 'for older people');
  t.ok(
    has(
      await until(
        () => shown(t, ada, { profile: grown }),
        (ids) => ids.includes(third),
      ),
      third,
    ),
  );
  // What it finished is hidden from it now: it is no reason either.
  await put(second, filmName(1), { ...facts, release: { stage: 'draft' } });
  await shown(t, ada, { profile: grown });
  await put(episodes[0] ?? '', 'Episode 1', { kind: 'episode', parentId: series, number: 1, maturity: 16 });
  await put(episodes[1] ?? '', 'Episode 2', { kind: 'episode', parentId: series, number: 2, maturity: 16 });
  t.notOk(has(await shown(t, ada, { profile: child }), series), 'a series that holds nothing for it');
  const asked = await ada.ask(`GET /v1/rows/explain?titleId=${third}&profileId=${child}`);
  const unknown = await ada.ask(`GET /v1/rows/explain?titleId=title_unknown1&profileId=${child}`);
  t.equal(
    asked.text.replaceAll(third, ''),
    unknown.text.replaceAll('title_unknown1', ''),
    'as if it were not there',
  );
  for (const number of [1, 2])
    await put(episodes[number - 1] ?? '', `Episode ${number}`, { kind: 'episode', parentId: series, number });
  await put(third, filmName(2), facts);
  await put(second, filmName(1), { ...facts, translations: [{ language: 'de', name: 'Ein Film' }] });
  await comesBack(second);
  t.ok((await ada.rows(child, { language: 'de-AT' })).text.includes('Ein Film'), 'in the viewer’s language');
});

t.test('what was seen of rows is told, proven, and counted once', async (t) => {
  const { rows } = await ada.rows();
  const top = rows.find(({ kind }) => kind === 'top');
  const ticket = top?.ticket ?? '';
  const event = (type: 'impression' | 'choice', places: number[], more: object = {}) => ({
    ...{ id: `${type}-${places.join('-')}-00`, timeMs: Date.now(), type, ticket, places },
    ...more,
  });
  const tell = (...events: object[]) => ada.ask('POST /v1/events', { body: { events } });
  const told = [event('impression', [0, 1, 2]), event('choice', [1])];
  t.strictSame((await tell(...told)).as(EventBatchReply), { accepted: 2, duplicates: 0 });
  t.strictSame((await tell(...told)).as(EventBatchReply), { accepted: 0, duplicates: 2 });
  const again = [
    event('impression', [2, 1], { id: 'another-id' }),
    event('choice', [1], { id: 'yet-another-id' }),
  ];
  t.match(
    (await tell(...again)).as(EventBatchReply),
    { accepted: 0, duplicates: 2 },
    'another id makes it nothing else',
  );
  t.strictSame(
    (await tell(event('impression', [0, 1, 3]), event('impression', [3, 0]))).as(EventBatchReply),
    { accepted: 1, duplicates: 1 },
    'of a row that was scrolled only what had not been seen',
  );
  const forged = `${ticket.slice(0, 10)}A${ticket.slice(11)}`;
  const wrong = [
    event('impression', [3], { ticket: forged, id: 'forged-ticket' }),
    event('choice', [49], { id: 'no-such-place' }),
    event('choice', [0], { id: 'from-the-future', timeMs: Date.now() + day }),
  ];
  t.match((await tell(...wrong)).as(EventBatchReply), {
    ...{ accepted: 0, refused: [{ reason: 'ticket' }, { reason: 'ticket' }, { reason: 'future' }] },
  });
  t.match(await tell(event('choice', [])), { status: 400 });
  const report = async (by: string) =>
    (await plane.call(`GET /v1/reports/rows?by=${by}`)).as(RowsReport).rows;
  await until(
    () => report('row'),
    ([row]) => row?.impressions === 4,
  );
  t.match(await report('row'), [{ name: 'top', impressions: 4, choices: 1, clickThrough: 1 / 4 }]);
  t.match(await report('place'), [
    { name: '0', impressions: 1, choices: 0 },
    { name: '1', impressions: 1, choices: 1, clickThroughAlike: 1 },
    { name: '2' },
  ]);
  t.match(await report('model'), [{ name: 'none', impressions: 4 }]);
});

t.test('a title is explained to its viewer, and to operators for who has watched something', async (t) => {
  const { rows } = await ada.rows(adas);
  const top = rows.find(({ kind }) => kind === 'top')?.titles[0];
  const explain = (by: typeof ada.ask, query: string) => by(`GET /v1/rows/explain?${query}`);
  const why = await explain(ada.ask, `titleId=${top?.titleId ?? ''}&profileId=${adas}`);
  t.match(why.json, { name: top?.name, places: [{ row: 'top', place: 0 }], score: { experience: Number } });
  t.match((await explain(ada.ask, `titleId=${first}&profileId=${adas}`)).json, {
    filters: [{}, {}, {}, {}, {}, { name: 'not-hidden', passed: false }],
    places: [],
  });
  const operator: typeof ada.ask = (route) => plane.call(route);
  const asked = await explain(operator, `titleId=${films[6] ?? ''}&watched=${films[8] ?? ''},${second}`);
  t.match(asked.json, { score: { content: Number }, of: films.length + 1 - 2 });
  t.match(await explain(operator, `titleId=${first}&profileId=${adas}`), { status: 403 });
  t.match(await explain(operator, 'titleId=title_unknown1'), { status: 404 });
  t.match((await explain(operator, `titleId=${episodes[0] ?? ''}`)).json, {
    filters: [{ name: 'stands-alone', passed: false }],
    places: [],
  });
});

t.test('a model is trained from what profiles watch, put in force when it is better, and kept', async (t) => {
  const models = async (): Promise<RecommendationModels> =>
    (await plane.call('GET /v1/recommendation-models')).as(RecommendationModels);
  const trained = async (): Promise<RecommendationModels> => {
    t.match(await plane.call('POST /v1/recommendation-models'), { status: 202 });
    return until(models, ({ training }) => training === undefined);
  };
  t.match(await trained(), { models: [], last: { outcome: 'too-little' } });

  // Drama is one taste, comedy the other.
  const people: { viewer: TestViewer; profile: string; films: string[] }[] = [];
  for (const name of ['bob', 'cleo', 'dora', 'emil']) {
    const viewer = await lab.addViewer(name);
    for (let number = 0; number < 8; number++) {
      const profile = await viewer.addProfile({ name: `${name} ${number}` });
      const taste = films.filter((_, film) => filmGenre(film) === filmGenre(number));
      const others = films.filter((film) => !taste.includes(film)).slice(number % 4, (number % 4) + 2);
      people.push({ viewer, profile, films: [...others, ...taste] });
    }
  }
  // A model is judged by what was met last, to the second.
  for (let at = 0; at < 8; at++)
    for (const { viewer, profile, films: list } of people)
      await viewer.tell(profile, list[at] ?? '', { what: 0.99, atMs: Date.now() - (8 - at) * 60_000 });
  const done = await trained();
  t.match(done, { models: [{ titles: films.length + 1 }], last: { outcome: /promoted|kept-back/ } });
  const [model] = done.models;
  t.ok(model !== undefined && model.meetings >= 200 && model.judged.users > 0);
  const id = model?.id ?? '';
  t.match((await plane.call(`POST /v1/recommendation-models/${id}/promote`)).json, { promoted: id });
  t.match(await plane.call('POST /v1/recommendation-models/model_unknown1/promote'), { status: 404 });
  const again = await trained();
  t.match(again.last, { outcome: 'kept-back' }, 'the same again is not better');
  t.match(again, { promoted: id, models: [{ incumbent: { id } }, { id }] });

  const fan = await ada.addProfile({ name: 'Fan of drama' });
  for (const film of [films[4], films[6], films[8]]) await ada.tell(fan, film ?? '', 0.99);
  const rows = await until(
    () => ada.rows(fan),
    (reply) => reply.model === id,
  );
  t.ok(rows.rows.some(({ titles }) => titles.some(({ reason }) => reason.kind === 'because')));
  const why = await ada.ask(`GET /v1/rows/explain?titleId=${films[10] ?? ''}&profileId=${fan}`);
  t.match(why.json, { model: id, score: { modelParts: { ease: Number } } });

  const nearcast = nearcastCli(plane);
  t.match(await nearcast('recommend', 'models'), { code: 0, stdout: new RegExp(`${id} .* yes`) });
  t.match(await nearcast('recommend', 'train'), {
    code: 0,
    stdout: /last training, .*: (promoted|kept-back)/,
  });
  const asked = ['recommend', 'explain', filmName(10), '--watched', `${filmName(4)}, ${filmName(6)}`];
  t.match(await nearcast(...asked), { code: 0, stdout: /Film number 10: \d+\. of \d+ by score[^]*ease/ });
  t.match(await nearcast('recommend', 'promote', 'model_unknown1'), { code: 1, stderr: /MODEL_UNKNOWN/ });
  t.match(await nearcast('report', 'rows'), { code: 0, stdout: /top .* 4 .* 1 .* 25\.0 %/ });

  const { promoted } = await models();
  t.match(await nearcast('events', 'export'), {
    code: 0,
    stdout: /exported up to [1-9]\d*: [1-9]\d* events in [1-9]\d* files, 0 were gone[^]*export .* 0/,
  });
  t.match(await nearcast('events', 'status'), { code: 0, stdout: /popularity[^]*rows/ });

  await plane.stop();
  const reborn = await startRowsPlane(t, lab.dataDir);
  t.match((await reborn.call('GET /v1/recommendation-models')).json, { promoted });
});
