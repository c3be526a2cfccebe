import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';
import type { TSchema } from '../../../../common/contract/type.ts';
import { coded } from '../../../../common/runtime/errors.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { parseAs } from '../../../../common/runtime/parse.ts';
import type { Calls } from '../../../../control-plane/apart/interface.ts';
import { nextEpisode } from '../../../../control-plane/core/next-episode.ts';
import { rightsIn } from '../../../../control-plane/core/title-rights.ts';
import { answerTitlesTold } from '../../../../control-plane/parts/titles-told.ts';
import { createOutlines } from '../../../../control-plane/services/catalog/outlines.ts';
import { familyOf, Titles } from '../../../../control-plane/services/catalog/titles.ts';
import { createChangeLog } from '../../../../control-plane/services/change-log.ts';
import { titlesTold } from '../../../../control-plane/services/recommendations/interfaces.ts';
import { TitleCopy } from '../../../../control-plane/services/recommendations/title-copy.ts';
import { family, recordOf, toldOfTitle, viewers } from '../../support/title-family.ts';
import { until } from '../../support/until.ts';

type Told = Calls<typeof titlesTold>;

t.testdir();
let files = 0;

/** Titles, and a copy that hears of them by what could go over HTTP. */
async function openLab() {
  const records = await openSqliteRecords(join(t.testdirName, `${String(files++)}.db`));
  const titles = await Titles.open(records, { titlesMax: 100 });
  const clock = createManualClock({ nowMs: 5 });
  const core = { isAway: false, asked: { page: 0, find: 0, changes: 0 }, ...openCore() };
  function openCore() {
    const changed = createChangeLog({ clock, keysMax: 3 });
    const end = titles.changes.add(({ after }) => {
      changed.note(after.id);
    });
    return { told: answerTitlesTold(createOutlines(titles), changed), end };
  }
  const over = <Name extends keyof Told>(name: Name): Told[Name] =>
    (async (ask: never, options) => {
      if (core.isAway) throw coded('UNAVAILABLE', 'core: it is away');
      core.asked[name]++;
      const answer: unknown = await core.told[name](ask, options);
      const schema: TSchema = titlesTold.verbs[name].answer;
      return parseAs(schema, JSON.parse(JSON.stringify(answer)), { what: name });
    }) as Told[Name];
  const told = { page: over('page'), find: over('find'), changes: over('changes') };
  const copy = new TitleCopy({ told, clock, log: createSilentLog() });
  const restartCore = async () => {
    core.end();
    await clock.advance(1000);
    Object.assign(core, openCore());
  };
  return { titles, clock, copy, core, restartCore, close: () => records.close() };
}
type Lab = Awaited<ReturnType<typeof openLab>>;

/** Throws where the copy tells anything else than what it is one of. */
function compare({ titles, clock, copy }: Lab): void {
  const whole = familyOf(titles);
  const rights = rightsIn(whole, () => clock.nowMs());
  const outlines = createOutlines(titles);
  for (const [id] of family) {
    const title = titles.get(id);
    const { parentId, kind, sinceMs } = outlines.find(id) ?? {};
    const known = copy.find(id);
    if (known?.parentId !== parentId || known?.kind !== kind || known?.sinceMs !== sinceMs)
      throw new Error(`${id} is another`);
    for (const viewer of viewers) {
      if (copy.isShown(id, viewer) !== rights.isShown(id, viewer))
        throw new Error(`${id} is shown to ${JSON.stringify(viewer)}, or is not`);
      const next = nextEpisode(title, whole, (one) => rights.isShown(one.id, viewer));
      if (copy.next(id, viewer)?.id !== next?.id) throw new Error(`something else comes after ${id}`);
    }
  }
}

t.test('a copy tells what the titles tell, at any time, whatever changes', async () => {
  const change = fc.tuple(fc.nat({ max: family.length - 1 }), toldOfTitle);
  await fc.assert(
    fc.asyncProperty(
      fc.array(toldOfTitle, { minLength: family.length, maxLength: family.length }),
      // More between two looks than the log of changes remembers, too.
      fc.array(fc.array(change, { maxLength: 5 }), { maxLength: 3 }),
      fc.boolean(),
      async (first, rounds, restarts) => {
        const lab = await openLab();
        const { titles, clock, copy } = lab;
        const put = async ([at, [more, wanted]]: (typeof rounds)[number][number]) => {
          await titles.change(family[at]?.[0] ?? '', () => recordOf(at, more, wanted));
        };
        for (const [at, [more, wanted]] of first.entries()) await titles.add(recordOf(at, more, wanted));
        await copy.current();
        compare(lab);
        for (const changes of rounds) {
          for (const one of changes) await put(one);
          if (restarts) await lab.restartCore();
          await copy.current();
          compare(lab);
        }
        for (const toMs of [10, 15, 20, 30]) {
          await clock.advance(Math.max(0, toMs - clock.nowMs()));
          compare(lab);
        }
        await lab.close();
      },
    ),
    { numRuns: 40 },
  );
});

t.test('what changes is asked for, and nothing else', async (t) => {
  const lab = await openLab();
  const { titles, copy, core } = lab;
  for (const at of family.keys()) await titles.add(recordOf(at, {}, 'live'));
  await copy.current();
  t.strictSame(core.asked, { page: 2, find: 0, changes: 1 });
  await copy.current();
  t.strictSame(core.asked, { page: 2, find: 0, changes: 2 });
  await titles.change('title_film00000', (title) => ({ ...title, name: 'Solaris' }));
  await Promise.all([copy.current(), copy.current(), copy.current()]);
  t.strictSame(core.asked, { page: 2, find: 1, changes: 3 }, 'once for all who ask at a time');
  t.equal(copy.nameIn('title_film00000', ['de']), 'Solaris');
  const moved = { kind: 'episode', parentId: 'title_season002', number: 1 } as const;
  await titles.change('title_episode11', (title) => ({ ...title, details: moved }));
  await copy.current();
  t.equal(copy.next('title_episode11', { maturityMax: 18 })?.id, 'title_episode21', 'it stands elsewhere');
  t.equal(copy.next('title_episode12', { maturityMax: 18 })?.id, 'title_episode11');

  core.isAway = true;
  await t.rejects(copy.current(), { code: 'UNAVAILABLE' }, 'whom it cannot ask it does not answer for');
  core.isAway = false;
  await copy.current();
  await lab.close();
});

t.test('it hears by itself of what changes, also after it could not', async (t) => {
  const lab = await openLab();
  const { titles, copy, core, clock } = lab;
  let heard = 0;
  copy.onChange(() => {
    heard++;
  });
  core.isAway = true;
  const stopping = new AbortController();
  const running = copy.run(stopping.signal);
  await titles.add(recordOf(0, {}, 'live'));
  core.isAway = false;
  const soon = (what: () => unknown) =>
    until(
      async () => {
        await clock.advance(1000);
        return what();
      },
      (is) => is === true,
    );
  await soon(() => copy.find('title_film00000') !== undefined);
  const before = heard;
  await titles.change('title_film00000', (title) => ({ ...title, name: 'Solaris' }));
  await soon(() => copy.nameIn('title_film00000', []) === 'Solaris');
  t.ok(heard > before);
  stopping.abort();
  await running;
  await lab.close();
});
