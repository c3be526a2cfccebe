import type { RowsExplainReply } from '../../../common/contract/rows.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { standsAlone } from './meetings.ts';
import type { RecommendedTitles } from './ports.ts';
import { scoreAll, type Asker, type Made, type Scene } from './shelf.ts';

const becauseMax = 5;

/** Whose question it is: to viewers what they may not be shown is not there. */
export type Questioner = 'viewer' | 'operator';

/** Why a title stands where it stands for a person, or why it stands nowhere. Errors: TITLE_UNKNOWN. */
export function explainTitle(
  titles: RecommendedTitles,
  titleId: string,
  { by, asker, scene, made }: { by: Questioner; asker: Asker; scene: Scene; made: Made },
): RowsExplainReply {
  const { person, viewer, languages } = asker;
  const known = titles.find(titleId);
  const isShown = titles.isShown(titleId, viewer);
  if (known === undefined || (by === 'viewer' && !isShown)) throw coded('TITLE_UNKNOWN', titleId);
  const { catalogue, scorer, bound } = scene.world;
  const { scores } = scoreAll(asker, scene, made.met);
  const kept = person.kept.get(titleId);
  const index = catalogue.indexOf.get(titleId);
  const score = index === undefined ? -Infinity : (scores[index] ?? -Infinity);
  const named = (title: number) => {
    const id = catalogue.titles[title]?.id ?? '';
    return { titleId: id, name: titles.nameIn(id, languages) };
  };
  const speakers = index === undefined ? [] : scorer.speakersFor(index, made.met, Infinity);
  const rank = scores.reduce((better, other) => (other > score ? better + 1 : better), 1);
  return {
    ...{ titleId, name: titles.nameIn(titleId, languages) },
    filters: [
      { name: 'stands-alone', passed: standsAlone(known) },
      { name: 'permitted', passed: isShown },
      { name: 'not-begun', passed: kept !== 'begun' },
      { name: 'not-finished', passed: kept !== 'finished' },
      { name: 'not-rated-down', passed: kept !== 'rated-down' },
      { name: 'not-hidden', passed: kept !== 'hidden' },
    ],
    ...(score > -Infinity && { rank }),
    of: scores.reduce((count, other) => (other > -Infinity ? count + 1 : count), 0),
    ...(index !== undefined && score > -Infinity && { score: scorer.partsOf(index, score) }),
    because: speakers
      .filter(({ title }) => titles.isShown(named(title).titleId, viewer))
      .slice(0, becauseMax)
      .map(({ title, strength }) => ({ ...named(title), strength })),
    places: made.rows.flatMap(({ kind, titles: picked }) =>
      picked.flatMap(({ title, propensity }, place) =>
        title === index ? [{ row: kind, place, propensity }] : [],
      ),
    ),
    ...(bound !== undefined && { model: bound.version }),
  };
}
