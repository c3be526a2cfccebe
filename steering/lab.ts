import { stat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { DocumentPayload, SteeringMap } from '../common/contract/documents.ts';
import { coded, systemCode } from '../common/runtime/errors.ts';
import { unpackRouteTable } from '../common/runtime/route-table-packing.ts';
import type { DecisionRecord, LostRecord } from './core/history-records.ts';
import { Moment } from './core/moment.ts';
import type { RankPolicy } from './core/rank.ts';
import type { Places } from './core/rank-query.ts';
import { rankKeys, type RankKey } from './core/rank-keys.ts';
import { Replayer, ReplayTally, without, type ReplayReport, type ReplayWorld } from './core/replay.ts';
import type { SteeringView } from './core/view.ts';
import { openPlaceBook } from './geo/place-book.ts';
import { readShared } from './geo/place-file.ts';
import { readSegment } from './history/journal-reader.ts';
import { parseRecord } from './history/past.ts';
import { compilePast } from './history/past-view.ts';

/** A change to be tried on recorded decisions. */
export interface ReplayRequest {
  /** A recording of `nearcast steer record`. */
  readonly file: string;
  /** Another recording: its last map is in force instead, with the recorded health. */
  readonly map?: string | undefined;
  readonly rankOrder?: readonly string[] | undefined;
  readonly headroomMin?: number | undefined;
  /** The file of places that steering had; without it clients whom no route reaches are nowhere. */
  readonly geoFile?: string | undefined;
  /** Boxes that are taken to be gone. */
  readonly without: readonly string[];
  readonly signal: AbortSignal;
}

/** What a recording could not tell. */
export interface ReplayGaps {
  /** Times of which the journal tells nothing, from and until: it is damaged there, or its process had died. */
  readonly lost: readonly { readonly fromMs: number; readonly untilMs: number }[];
}

interface Recording {
  readonly moment: Moment;
  readonly decisions: AsyncGenerator<DecisionRecord, void>;
  /** What was read so far of times of which the journal could tell nothing. */
  readonly lost: readonly LostRecord[];
  readonly readTable: (name: string) => Promise<Uint8Array | undefined>;
}

/**
 * Makes the decisions of a recording again, as they were and with a change, and counts who would move.
 *
 * @throws INVALID, also where `without` names a box that no map of the recording has; STORE_CORRUPT, HISTORY_GONE where a table is missing.
 */
export async function replayDecisions(request: ReplayRequest): Promise<ReplayReport & ReplayGaps> {
  const recording = await openRecording(request.file);
  const places = request.geoFile === undefined ? undefined : openPlaceBook(await readShared(request.geoFile));
  const other = request.map === undefined ? undefined : await lastView(request.map);
  const gone = new Set(request.without);
  const compile = viewKeeper(recording);
  const tally = new ReplayTally();
  const unknown = new Set(request.without);
  let seen = -1;
  let sides: { before: Side; after: Side } | undefined;
  for await (const decision of recording.decisions) {
    request.signal.throwIfAborted();
    const { moment } = recording;
    if (moment.payload === undefined) continue;
    if (seen !== moment.version || sides === undefined) {
      seen = moment.version;
      const view = await compile(moment.payload);
      for (const id of unknown) if ((other ?? view).indexOf.has(id)) unknown.delete(id);
      sides = {
        before: sideOf(sides?.before, { view, moment, places, policy: moment.policy }),
        after: sideOf(sides?.after, {
          view: other ?? view,
          ...{ moment, places },
          policy: changedPolicy(moment.policy, request),
        }),
      };
      sides.after.world = without(sides.after.world, gone);
    }
    const [was, is] = [sides.before, sides.after].map(
      ({ replayer, world }) => replayer.ways(decision, world)?.[0],
    );
    tally.add(decision, { before: was, after: is });
  }
  const report = {
    ...tally.report(),
    lost: recording.lost.map(({ atMs: fromMs, untilMs }) => ({ fromMs, untilMs })),
  };
  if (report.samples > 0 && unknown.size > 0)
    throw coded('INVALID', `no map of the recording has ${[...unknown].join(', ')}`);
  return report;
}

interface Side {
  readonly replayer: Replayer;
  world: ReplayWorld;
}

interface SideOf {
  readonly view: SteeringView;
  readonly moment: Moment;
  readonly policy: RankPolicy;
  readonly places: Places | undefined;
}

function sideOf(before: Side | undefined, { view, moment, policy, places }: SideOf): Side {
  const replayer =
    before !== undefined && isDeepStrictEqual(before.replayer.policy, policy)
      ? before.replayer
      : new Replayer(policy, { placeUnknown: moment.placeUnknown, places });
  return { replayer, world: { view, state: moment.state(view, policy.headroomMin) } };
}

function changedPolicy(policy: RankPolicy, { rankOrder, headroomMin }: ReplayRequest): RankPolicy {
  const order = rankOrder?.map((name): RankKey => {
    const key = rankKeys.find((known) => known === name);
    if (key === undefined) throw coded('INVALID', `${name} is no key: ${rankKeys.join(', ')}`);
    return key;
  });
  if (headroomMin !== undefined && !(headroomMin >= 0 && headroomMin < 1))
    throw coded('INVALID', 'the least headroom is a share from 0 to less than 1');
  return {
    ...policy,
    ...(order !== undefined && { order }),
    ...(headroomMin !== undefined && { headroomMin }),
  };
}

async function openRecording(path: string): Promise<Recording> {
  try {
    await stat(path);
  } catch (cause) {
    throw coded('INVALID', {
      detail: `${path} cannot be read (${systemCode(cause) ?? 'no reason known'})`,
      cause,
    });
  }
  const moment = new Moment();
  const tables = new Map<string, Buffer>();
  const lost: LostRecord[] = [];
  let isDamaged = false;
  const damaged = (): void => {
    isDamaged = true;
  };
  async function* decisions(): AsyncGenerator<DecisionRecord, void> {
    let lines = 0;
    for await (const line of readSegment(path, damaged)) {
      lines++;
      const record = parseRecord(line);
      if (record.kind === 'table') tables.set(record.name, Buffer.from(record.packed, 'base64'));
      else if (record.kind === 'decision') yield record;
      else {
        if (record.kind === 'lost') lost.push(record);
        moment.take(record);
      }
    }
    if (lines === 0) throw coded('STORE_CORRUPT', `${path} is no recording`);
    if (isDamaged) throw coded('STORE_CORRUPT', `${path} is damaged: record it again`);
  }
  const readTable = async (name: string): Promise<Uint8Array | undefined> => {
    const packed = tables.get(name);
    return packed && (await unpackRouteTable(packed));
  };
  return { moment, decisions: decisions(), lost, readTable };
}

/** Compiles the map in force, as long as it is. */
function viewKeeper({
  readTable,
}: Recording): (payload: DocumentPayload<SteeringMap>) => Promise<SteeringView> {
  let held: { payload: DocumentPayload<SteeringMap>; view: SteeringView } | undefined;
  return async (payload) => {
    if (held?.payload !== payload) held = { payload, view: await compilePast(payload, readTable, held) };
    return held.view;
  };
}

async function lastView(path: string): Promise<SteeringView> {
  const recording = await openRecording(path);
  for await (const _ of recording.decisions);
  const { payload } = recording.moment;
  if (payload === undefined) throw coded('STORE_CORRUPT', `${path} has no map`);
  return await compilePast(payload, recording.readTable);
}
