import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';

import {
  RecommendationModels,
  type RecommendationModel,
} from '../../common/contract/recommendation-models.ts';
import { RowsExplainReply } from '../../common/contract/rows.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Api } from '../api.ts';
import { findTitle } from '../find-title.ts';
import { withProgress } from '../local-command.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

const path = '/v1/recommendation-models';

/** `nearcast recommend models|train|promote|explain`. */
export function recommendCommand(shell: CommandShell): Command {
  const command = new Command('recommend').description(
    'what viewers are shown first: the models behind it, and why a title stands where it stands',
  );
  command
    .command('models')
    .description('the models that were trained, the latest first, and how they were judged')
    .action(() =>
      shell.act(async ({ api, output }) => {
        printModels(output, await api.call({ path, reply: RecommendationModels }));
      }),
    );
  trainCommand(command, shell);
  command
    .command('promote <model>')
    .description('put a model in force, whatever it was judged')
    .action((id: string) =>
      shell.act(async ({ api, output }) => {
        const promotion = `${path}/${encodeURIComponent(id)}/promote`;
        printModels(output, await api.call({ method: 'POST', path: promotion, reply: RecommendationModels }));
      }),
    );
  explainCommand(command, shell);
  return command;
}

const pollMs = 500;

function trainCommand(command: Command, shell: CommandShell): void {
  command
    .command('train')
    .description('train a model now; it is put in force if it does better than the one that is')
    .action(() =>
      shell.act(async ({ api, output, signal }) => {
        const ended = await withProgress(output, 'train', async (onProgress) => {
          let models = await api.call({ method: 'POST', path, reply: RecommendationModels });
          for (
            ;
            models.training !== undefined;
            models = await api.call({ path, reply: RecommendationModels })
          ) {
            const { stage, profiles, fraction } = models.training;
            onProgress(fraction, stage === 'reading' ? `${profiles} profiles read` : 'training');
            await sleep(pollMs, undefined, { signal });
          }
          return { done: models, said: models.last?.outcome ?? 'done' };
        });
        if (ended.last?.outcome === 'failed') throw coded('INTERNAL', ended.last.detail);
        printModels(output, ended);
        output.note(ended.last?.detail ?? '');
      }),
    );
}

interface ExplainFlags {
  readonly profile?: string;
  readonly watched?: string;
  readonly seed?: string;
}

function explainCommand(command: Command, shell: CommandShell): void {
  command
    .command('explain <title>')
    .description(
      'why a title stands where it stands: for a profile of your own, or for who has watched some titles',
    )
    .option('--profile <profile>', 'signed in as its viewer; what others watch is nobody’s business')
    .option(
      '--watched <titles>',
      'ids or names of titles that were watched, between commas, the latest first',
    )
    .option('--seed <number>', 'of the rows that are to be explained')
    .action((wanted: string, { profile, watched, seed }: ExplainFlags) =>
      shell.act(async ({ api, output }) => {
        const { id: titleId } = await findTitle(api, wanted);
        const query = new URLSearchParams({
          titleId,
          ...(profile !== undefined && { profileId: profile }),
          ...(watched !== undefined && { watched: await idsOf(api, watched) }),
          ...(seed !== undefined && { seed }),
        });
        const reply = await api.call({
          path: `/v1/rows/explain?${query.toString()}`,
          reply: RowsExplainReply,
        });
        output.facts(reply, () => {
          printExplanation(output, reply);
        });
      }),
    );
}

async function idsOf(api: Api, text: string): Promise<string> {
  const ids: string[] = [];
  for (const one of text.split(',')) ids.push((await findTitle(api, one.trim())).id);
  return ids.join(',');
}

function printModels(output: Output, models: RecommendationModels): void {
  output.facts(models, () => {
    output.table({
      head: ['model', 'trained', 'took', 'profiles', 'titles', 'met', 'nDCG@10', 'against', 'in force'],
      rows: models.models.map((model) => rowOf(model, models.promoted)),
      empty: 'No model was trained yet: rows go by what titles are, and by what is watched.',
    });
    const { training, last } = models;
    if (training !== undefined)
      output.line(
        `${training.stage}: ${training.profiles} profiles, ${Math.round(training.fraction * 100)} %`,
      );
    if (last !== undefined)
      output.line(
        `last training, ${new Date(last.endedAtMs).toISOString()}: ${last.outcome} (${last.detail})`,
      );
  });
}

function rowOf(model: RecommendationModel, promoted: string | undefined): string[] {
  const { judged, popularity, incumbent } = model;
  const against = incumbent?.judged ?? popularity;
  return [
    ...[model.id, new Date(model.trainedAtMs).toISOString(), `${model.trainSeconds.toFixed(1)} s`],
    ...[String(model.profiles), String(model.titles), String(model.meetings)],
    ...[judged.ndcg10.toFixed(4), against.ndcg10.toFixed(4)],
    model.id === promoted ? 'yes' : '',
  ];
}

function printExplanation(output: Output, reply: RowsExplainReply): void {
  const { name, filters, rank, of, score, because, places, model } = reply;
  const failed = filters.filter(({ passed }) => !passed).map((filter) => filter.name);
  if (failed.length > 0) output.line(`${name} is not offered: it is not ${failed.join(', not ')}`);
  else output.line(`${name}: ${rank ?? '–'}. of ${of} by score`);
  for (const { row, place, propensity } of places)
    output.line(
      `in the row ${row} at place ${place + 1}, where it stands with a chance of ${propensity.toPrecision(2)}`,
    );
  if (score !== undefined) {
    const { modelParts, ...parts } = score;
    output.table({
      head: ['part', 'score'],
      rows: Object.entries({ ...parts, ...modelParts }).map(([part, value]) => [part, value.toFixed(3)]),
      empty: '',
    });
  }
  output.table({
    title: 'because of',
    head: ['title', 'strength'],
    rows: because.map((one) => [one.name, one.strength.toFixed(4)]),
    empty: 'nothing that was watched',
  });
  output.line(model === undefined ? 'no model is in force' : `model ${model}`);
}
