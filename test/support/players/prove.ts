import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { boxFaultText, type BoxFault } from './faults.ts';
import {
  changeOrder,
  followedMs,
  measureFault,
  measureSteeringFault,
  stallMsMax,
  startPlayers,
  until,
  watchToTheEnd,
  type Measured,
} from './measure.ts';
import { playerNames, type PlayerSettings } from './page/player-order.ts';
import { startPlayersRig, type PlayersRig } from './rig.ts';
import type { SteeringFault } from './steering-proxy.ts';
import type { ProofOptions, ProofResult } from '../proof.ts';

/** A film's segments. */
const segmentS = 4;
const ttlS = 2;
/** Other ports than those of the short form. */
const portOffset = 22_000;
const patienceS = 30;

/** One line of the table: how long each player stood still, in seconds; a word where it did not end. */
interface Row {
  readonly what: string;
  /** By `<player> <settings>`. */
  readonly cells: ReadonlyMap<string, string>;
  /** What our settings did not hold. */
  readonly failures: readonly string[];
}

const boxCases: readonly { fault: BoxFault; atS: number; what?: string }[] = [
  { fault: 'killed', atS: 10 },
  { fault: 'stopped', atS: 10 },
  { fault: 'sheds', atS: 10 },
  { fault: 'ended', atS: 10 },
  { fault: 'cut', atS: 10 },
  { fault: 'killed', atS: 0, what: 'dead before the start' },
  { fault: 'stopped', atS: 0, what: 'answers nothing from before the start' },
];

const steeringCases: readonly { fault: SteeringFault; atS: number; what: string }[] = [
  { fault: 410, atS: 6, what: 'steering answers 410' },
  { fault: 429, atS: 6, what: 'steering answers 429' },
  { fault: 500, atS: 6, what: 'steering answers 500' },
  { fault: 'garbage', atS: 6, what: 'steering answers garbage' },
  { fault: 'slow', atS: 6, what: 'steering answers after 20 s' },
  { fault: 'silent', atS: 0, what: 'steering never answers' },
];

/** Every case with every player, with our settings and as it comes; the table goes into docs/player.md. */
export async function provePlayers({ rounds }: ProofOptions): Promise<ProofResult> {
  const rows: Row[] = [];
  const [loadBefore = 0] = loadavg();
  for (let round = 0; round < rounds; round++) {
    rows.push(...(await boxRows('ours', 36)), ...(await boxRows('stock', 75)), ...(await steeredRows()));
  }
  const merged = [...Map.groupBy(rows, ({ what }) => what)].map(([what, same]) => mergeRows(what, same));
  await writeTable(merged, loadBefore);
  const failures = merged.flatMap(({ what, failures }) => failures.map((failure) => `${what}: ${failure}`));
  return {
    holds: failures.length === 0,
    lines: [
      `Cases: ${merged.length}, each with ${playerNames.join(', ')}; the table is in docs/player.md`,
      ...failures,
    ],
  };
}

/** The box that all play from fails, and steering, whose answers hold for 300 s, is no help. */
async function boxRows(settings: PlayerSettings, filmS: number): Promise<Row[]> {
  await using rig = await startPlayersRig({
    portOffset,
    filmS,
    ttlS: { healthy: 300, incident: 20 },
  });
  const rows: Row[] = [];
  for (const { fault, atS, what = boxFaultText[fault] } of boxCases) {
    process.stderr.write(`${settings}: ${what}\n`);
    const measured = await measureFault(rig, { fault, atS, settings: [settings], patienceS });
    rows.push(fault === 'cut' ? cutRowOf(what, measured) : rowOf(what, measured));
  }
  return rows;
}

/** Steering changes its mind or fails; its answers hold for 2 s, so that players ask. */
async function steeredRows(): Promise<Row[]> {
  const ttl = { healthy: ttlS, incident: ttlS };
  await using rig = await startPlayersRig({ portOffset, filmS: 28, ttlS: ttl });
  const rows: Row[] = [];
  for (const settings of ['ours', 'stock'] as const) {
    rows.push(...(await followRows(rig, settings)));
    process.stderr.write(`${settings}: stopped, steered\n`);
    const measured = await measureFault(rig, {
      fault: 'stopped',
      atS: 10,
      settings: [settings],
      patienceS,
    });
    rows.push(rowOf(`${boxFaultText.stopped}; steering is asked every ${ttlS} s`, measured));
    for (const { fault, atS, what } of steeringCases) {
      process.stderr.write(`${settings}: ${what}\n`);
      rows.push(rowOf(what, await measureSteeringFault(rig, { fault, atS, settings: [settings] })));
    }
  }
  return rows;
}

async function followRows(rig: PlayersRig, settings: PlayerSettings): Promise<Row[]> {
  process.stderr.write(`${settings}: steering changes its order\n`);
  const session = await rig.session();
  const players = await startPlayers(rig, { session, settings: [settings] });
  await until(players, ({ positionS }) => positionS > 8, 60);
  const change = await changeOrder(rig, session);
  const measured = await watchToTheEnd(players, session.durationMs / 1000 + patienceS);
  await change.heal();
  const limitS = ttlS + segmentS;
  const followed = measured.map((one) => ({ key: keyOf(one), afterS: followedMs(one, change) / 1000 }));
  return [
    rowOf(`${boxFaultText.drained}; steering is asked every ${ttlS} s`, measured),
    {
      what: `leaves it so long after steering's change (TTL + segment: ${limitS} s)`,
      cells: new Map(followed.map(({ key, afterS }) => [key, afterS.toFixed(1)])),
      failures: followed
        .filter(({ key, afterS }) => key.endsWith('ours') && afterS > limitS)
        .map(({ key, afterS }) => `${key} followed after ${afterS.toFixed(1)} s`),
    },
  ];
}

const keyOf = ({ name, settings }: Pick<Measured, 'name' | 'settings'>): string => `${name} ${settings}`;

/** Where nothing answers for longer than there is in the buffer, nobody plays on; all go on afterwards but dash.js, which gives up. */
function cutRowOf(what: string, measured: readonly Measured[]): Row {
  const failures = measured
    .filter(({ name, settings, last }) => settings === 'ours' && name !== 'dash.js' && !last.ended)
    .map((one) => `${keyOf(one)} ${cellOf(one)}`);
  return { ...rowOf(what, measured), failures };
}

function rowOf(what: string, measured: readonly Measured[]): Row {
  const failures = measured
    .filter(({ settings, last }) => settings === 'ours' && (!last.ended || last.stallMs > stallMsMax))
    .map((one) => `${keyOf(one)} ${cellOf(one)} ${one.last.fatal ?? ''}`.trim());
  const cells = new Map(measured.map((one) => [keyOf(one), cellOf(one)]));
  process.stderr.write(`  ${[...cells].map((pair) => pair.join(' ')).join(', ')}\n`);
  return { what, cells, failures };
}

function cellOf({ last: { ended, stallMs, fatal } }: Measured): string {
  if (ended) return (stallMs / 1000).toFixed(1);
  return fatal === undefined ? 'never goes on' : 'gives up';
}

/** The rows of one case as one: of several rounds the worst. */
function mergeRows(what: string, rows: readonly Row[]): Row {
  const cells = new Map<string, string>();
  for (const [key, cell] of rows.flatMap((row) => [...row.cells])) {
    const known = cells.get(key);
    if (known === undefined || Number.isNaN(Number(cell)) || Number(cell) > Number(known))
      cells.set(key, cell);
  }
  return { what, cells, failures: rows.flatMap(({ failures }) => failures) };
}

const page = new URL('../../../docs/player.md', import.meta.url);
const begin = '<!-- written by ./dev soak players -->';
const end = '<!-- end -->';

async function writeTable(rows: readonly Row[], loadBefore: number): Promise<void> {
  const columns = (['ours', 'stock'] as const).flatMap((settings) =>
    playerNames.map((name) => ({
      key: `${name} ${settings}`,
      title: settings === 'ours' ? name : `${name}, stock`,
    })),
  );
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const table = [
    line(['stall in seconds', ...columns.map(({ title }) => title)]),
    line(['---', ...columns.map(() => '---:')]),
    ...rows.map(({ what, cells }) => line([what, ...columns.map(({ key }) => cells.get(key) ?? '')])),
  ].join('\n');
  const day = new Date().toISOString().slice(0, 10);
  const when = `Measured ${day} on ${availableParallelism()} cores, load average before it ${loadBefore.toFixed(1)}.`;
  const text = await readFile(page, 'utf8');
  const [before = '', rest = ''] = text.split(begin);
  const after = rest.slice(rest.indexOf(end));
  await writeFile(page, `${before}${begin}\n\n${when}\n\n${table}\n\n${after}`);
}
