import { setTimeout as sleep } from 'node:timers/promises';

import { Command } from 'commander';

import { WithdrawalList, WithdrawalView } from '../../common/contract/withdrawals.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { CommandContext } from '../context.ts';
import { findTitle } from '../find-title.ts';
import { formatBytes } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

const pollMs = 200;
/** Boxes that are up confirm within seconds; the others are listed and may be asked for later. */
const waitMsMax = 10_000;

/** `nearcast title withdraw`: takes a title off every box, now. */
export function titleWithdrawCommand(shell: CommandShell): Command {
  return new Command('withdraw')
    .description('take a title off the network for good: refused at once, its bytes deleted on every box')
    .argument('<title>', 'its id or name')
    .requiredOption('--now', 'playbacks that are under way are cut')
    .addHelpText(
      'after',
      '\nWho has not confirmed yet is listed; `nearcast title withdrawals` lists it again.',
    )
    .action((title: string) => shell.act((context) => withdraw(context, title)));
}

/** `nearcast title withdrawals`: what was withdrawn and who has confirmed it. */
export function titleWithdrawalsCommand(shell: CommandShell): Command {
  return new Command('withdrawals')
    .description('what was withdrawn, which boxes have confirmed, and which have not')
    .argument('[withdrawal]', 'one of them by its id, with the signed receipts in its JSON')
    .option(
      '--lift',
      'its files may be shown again, by a title that is added anew; links from before work again',
    )
    .action((id: string | undefined, { lift = false }: { lift?: boolean }) =>
      shell.act(async ({ api, output }) => {
        if (lift && id === undefined) throw coded('INVALID', 'name the withdrawal that is to be lifted');
        if (id !== undefined) {
          const path = `/v1/withdrawals/${encodeURIComponent(id)}`;
          const view = lift
            ? await api.call({ method: 'POST', path: `${path}/lift`, reply: WithdrawalView })
            : await api.call({ path, reply: WithdrawalView });
          output.facts(view, () => {
            printWithdrawal(output, view);
          });
          return;
        }
        const { withdrawals } = await api.call({ path: '/v1/withdrawals', reply: WithdrawalList });
        output.facts(withdrawals, () => {
          printWithdrawals(output, withdrawals);
        });
      }),
    );
}

async function withdraw({ api, output, signal }: CommandContext, wanted: string): Promise<void> {
  const { id } = await findTitle(api, wanted);
  const path = `/v1/titles/${id}/withdraw`;
  let view = await api.call({ method: 'POST', path, reply: WithdrawalView });
  const endMs = performance.now() + waitMsMax;
  while (!view.complete && performance.now() < endMs) {
    await sleep(pollMs, undefined, { signal });
    view = await api.call({ path: `/v1/withdrawals/${view.id}`, reply: WithdrawalView });
  }
  output.facts(view, () => {
    printWithdrawal(output, view);
  });
  const waiting = view.nodes.filter(({ confirmed }) => !confirmed).map((node) => node.id);
  if (waiting.length === 0) return;
  throw coded(
    'TIMEOUT',
    `${view.title} is withdrawn, but ${waiting.join(', ')} did not confirm yet; \`nearcast title withdrawals ${view.id}\` says when`,
  );
}

function printWithdrawals(output: Output, withdrawals: readonly WithdrawalView[]): void {
  output.table({
    head: ['withdrawal', 'title', 'at', 'size', 'confirmed by', 'not confirmed by'],
    rows: withdrawals.map((view) => [
      ...[view.id, view.title, dateOf(view.withdrawnAtMs) + liftedText(view), formatBytes(view.sizeBytes)],
      namesOf(view, true),
      namesOf(view, false) || '–',
    ]),
    empty: 'Nothing was withdrawn. `nearcast title withdraw TITLE --now` does.',
  });
}

function namesOf({ nodes }: WithdrawalView, confirmed: boolean): string {
  return nodes
    .filter((node) => node.confirmed === confirmed)
    .map(({ id }) => id)
    .join(' ');
}

function liftedText({ liftedAtMs }: WithdrawalView): string {
  return liftedAtMs === undefined ? '' : `, lifted at ${dateOf(liftedAtMs)}`;
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString();
}

function printWithdrawal(output: Output, view: WithdrawalView): void {
  output.table({
    title: `${view.title}, withdrawn at ${dateOf(view.withdrawnAtMs)}${liftedText(view)} (${view.id})`,
    head: ['box', 'confirmed', 'files deleted', 'bytes deleted', 'at'],
    rows: view.nodes.map((node) => [
      node.id,
      node.confirmed ? 'yes, signed' : `not yet: it is ${node.state ?? 'unknown'}`,
      node.deletedFiles === undefined ? '–' : String(node.deletedFiles),
      node.deletedBytes === undefined ? '–' : formatBytes(node.deletedBytes),
      node.doneAtMs === undefined ? '–' : new Date(node.doneAtMs).toISOString(),
    ]),
    empty: 'There is no box that could hold it.',
  });
}
