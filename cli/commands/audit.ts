import { Command, Option } from 'commander';

import { AuditPage, type AuditEntry, type AuditMark } from '../../common/contract/audit.ts';
import { AuditWalk, formatMark, parseMark, type AuditFault } from '../../common/core/audit-chain.ts';
import { coded } from '../../common/runtime/errors.ts';
import { parseDurationMs } from '../../common/runtime/quantities.ts';
import type { Api } from '../api.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';
import { accountIdOf } from './account.ts';

const pageLength = 1000;

/** `nearcast audit list|verify`: what operators and admins did. */
export function auditCommand(shell: CommandShell): Command {
  const command = new Command('audit').description('what operators, admins and machines did: list, verify');
  listCommand(command, shell);
  verifyCommand(command, shell);
  return command;
}

interface ListOptions {
  account?: string;
  action?: string;
  object?: string;
  from?: number;
  to?: number;
  limit: number;
}

function listCommand(command: Command, shell: CommandShell): void {
  command
    .command('list')
    .description('privileged acts, the newest first')
    .option(
      '--account <account>',
      'of one person (id or address); operator for the token in the data directory',
    )
    .option('--action <action>', 'whose action begins so, as in "PATCH /v1/accounts" or sign-in')
    .option('--object <id>', 'done to one thing')
    .addOption(timeOption('--from <time>', 'since then, as in 2026-11-22T04:00Z or 2d for two days ago'))
    .addOption(timeOption('--to <time>', 'until then'))
    .addOption(new Option('--limit <n>', 'at most so many entries').default(100).argParser(parseLimit))
    .action((options: ListOptions) =>
      shell.act(async ({ api, output }) => {
        const { account, action, object, from, to, limit } = options;
        const filter = {
          ...{ action, object, fromMs: from, toMs: to },
          account: account === undefined ? undefined : await accountIdOf(api, account),
        };
        const entries: AuditEntry[] = [];
        for (let before: number | undefined; entries.length < limit; before = entries.at(-1)?.sequence) {
          const query = { ...filter, before, limit: Math.min(pageLength, limit - entries.length) };
          const page = await readPage(api, query);
          entries.push(...page.entries);
          if (page.entries.length < query.limit) break;
        }
        printEntries(output, entries);
      }),
    );
}

function timeOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text) => {
    const agoMs = parseDurationMs(text);
    const atMs = agoMs === undefined || /^\d{4}$/.test(text) ? Date.parse(text) : Date.now() - agoMs;
    if (Number.isNaN(atMs))
      throw coded('INVALID', `${text} is no time: write 2026-11-22T04:00Z, or 2d for two days ago`);
    return atMs;
  });
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100_000)
    throw coded('INVALID', `--limit: ${text} is not from 1 to 100000`);
  return limit;
}

async function readPage(
  api: Api,
  query: Readonly<Record<string, string | number | undefined>>,
): Promise<AuditPage> {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  const path = `/v1/audit?${new URLSearchParams(given).toString()}`;
  return api.call({ path, reply: AuditPage });
}

/** For people an act is one row: that it begins is shown only where nothing says how it ended. */
function printEntries(output: Output, entries: readonly AuditEntry[]): void {
  const ended = new Set(entries.map(({ of }) => of));
  output.facts(entries, () => {
    output.table({
      head: ['number', 'time', 'account', 'role', 'from', 'action', 'object', 'outcome', 'what'],
      rows: entries
        .filter(({ sequence, outcome }) => outcome !== 'begun' || !ended.has(sequence))
        .map(({ sequence, atMs, account, role = '', network = '', action, object = '', ...entry }) => [
          ...[String(sequence), new Date(atMs).toISOString().slice(0, 19), account, role, network],
          ...[action, object, outcomeOf(entry), entry.detail ?? ''],
        ]),
      empty: 'There are no such entries.',
    });
  });
}

function outcomeOf({ outcome, code, count = 1 }: Pick<AuditEntry, 'outcome' | 'code' | 'count'>): string {
  const words = outcome === 'begun' ? 'begun, no end' : outcome;
  return `${words}${code === undefined ? '' : ` ${code}`}${count === 1 ? '' : ` × ${String(count)}`}`;
}

function verifyCommand(command: Command, shell: CommandShell): void {
  command
    .command('verify')
    .description('go through the whole chain; prints its head, to be noted down elsewhere')
    .option('--head <mark>', 'a head that was noted down: what was cut off behind it is found too')
    .action(({ head }: { head?: string }) =>
      shell.act(async ({ api, output }) => {
        const noted = head === undefined ? undefined : parseMark(head);
        if (head !== undefined && noted === undefined)
          throw coded('INVALID', `--head: ${head} is not like 1234:9f86…, a number and 64 hex digits`);
        const walk = await verifyChain(api, noted);
        const facts = { entries: walk.count, head: formatMark(walk.last) };
        output.facts(facts, () => {
          output.line(`${String(walk.count)} entries, each of them as it was written.`);
          output.line(`Head: ${facts.head}`);
        });
      }),
    );
}

/** Reads the chain page by page. @throws AUDIT_BROKEN with the first entry that is not as it was. */
async function verifyChain(api: Api, noted: AuditMark | undefined): Promise<AuditWalk> {
  const { anchor, head } = await readPage(api, { limit: 1 });
  if (noted !== undefined && noted.sequence < anchor.sequence)
    throw coded(
      'INVALID',
      `--head: entries up to ${String(anchor.sequence)} are no longer kept; use a later head`,
    );
  const walk = new AuditWalk(anchor, noted);
  const broken = (fault: AuditFault | undefined): void => {
    if (fault !== undefined) throw coded('AUDIT_BROKEN', `entry ${String(fault.sequence)}: ${fault.what}`);
  };
  // What comes meanwhile is left for the next time.
  while (walk.last.sequence < head.sequence) {
    const page = await readPage(api, { after: walk.last.sequence, limit: pageLength });
    if (page.anchor.sequence > walk.last.sequence)
      throw coded('CONFLICT', 'retention took entries away meanwhile; ask again');
    const next = walk.last.sequence + 1;
    if (page.entries.length === 0)
      broken({ sequence: next, what: 'it is missing, and all that are behind it' });
    for (const entry of page.entries) broken(walk.step(entry));
  }
  broken(walk.end());
  return walk;
}
