import { parentPort, workerData } from 'node:worker_threads';
import type { ExplainReply } from '../../common/contract/steering.ts';
import type { ProblemCode } from '../../common/contract/problem.ts';
import { parseAddress } from '../../common/core/ip-address.ts';
import { assert, coded, toCoded } from '../../common/runtime/errors.ts';
import { explain } from '../core/explain.ts';
import { Ranker } from '../core/ranker.ts';
import { openPlaceBook } from '../geo/place-book.ts';
import { openTableStore } from '../map/table-store.ts';
import { momentAt } from './past.ts';
import { compilePast } from './past-view.ts';

/** What is asked of the past. */
export interface ExplainPast {
  readonly journal: string;
  readonly tables: string;
  readonly atMs: number;
  readonly client: string;
  readonly bundle: string | undefined;
  /** The file of places as it is now: those of the past are not kept. */
  readonly places: SharedArrayBuffer | undefined;
}

export type ExplainPastReply =
  | { readonly ok: true; readonly value: ExplainReply }
  | { readonly ok: false; readonly code: ProblemCode; readonly detail: string | undefined };

// A thread for one question: a map of the past takes seconds and as much memory as the one in force, then it is gone again.
assert(parentPort !== null, 'this is a worker');
const port = parentPort;

async function answer(asked: ExplainPast): Promise<ExplainReply> {
  const { journal, tables, atMs, bundle } = asked;
  const client = parseAddress(asked.client);
  if (client === undefined) throw coded('INVALID', `${asked.client} is not an IP address`);
  const moment = await momentAt(journal, atMs);
  const { payload, policy, placeUnknown } = moment;
  assert(payload !== undefined, 'a moment has a map');
  const store = await openTableStore(tables, Infinity);
  const view = await compilePast(payload, (name) => store.read(name));
  return explain(
    {
      ...{ view, ranker: new Ranker(view, policy), state: moment.state(view, policy.headroomMin) },
      ...{ health: moment.health(), policy, placeUnknown, client, bundle },
      places: asked.places && openPlaceBook(asked.places),
    },
    atMs,
  );
}

try {
  const reply: ExplainPastReply = { ok: true, value: await answer(workerData as ExplainPast) };
  port.postMessage(reply);
} catch (error) {
  const { code, detail } = toCoded(error);
  const reply: ExplainPastReply = { ok: false, code, detail };
  port.postMessage(reply);
}
