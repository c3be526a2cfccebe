import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import {
  counterLayout,
  counterSlots,
  handOverReasons,
  latencyBoundsUs,
  nativeStatuses,
} from '../../../appliance/engine/native-counters.ts';
import { registerServingMetrics, ServingCounts } from '../../../appliance/records/serving-metrics.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';

const native = join(import.meta.dirname, '../../../appliance/engine/native');

/** The names in a C++ enum, or the numbers in an array. */
async function wordsOf(file: string, begin: RegExp): Promise<string[]> {
  const text = await readFile(join(native, file), 'utf8');
  const body = /\{([^}]*)\}/.exec(text.slice(text.search(begin)))?.[1] ?? '';
  return body
    .replaceAll(/\/\/.*$/gm, '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

void t.test('the slots are those of the addon, in its order', async (test) => {
  test.same(await wordsOf('counters.h', /enum class Counter\b/), [...counterSlots, 'count']);
  test.same(await wordsOf('request.h', /enum class Reason\b/), handOverReasons);
  test.same((await wordsOf('counters.h', /\bstatuses\[\]/)).map(Number), nativeStatuses);
  test.same((await wordsOf('records.h', /latencyBoundsUs = /)).map(Number), latencyBoundsUs);
});

void t.test(
  'what both engines count stands in one metric, as the sum; histograms are cumulative',
  async (test) => {
    const metrics = createMetrics({ name: 'box', version: '0' });
    const counts = new ServingCounts();
    const slots = new Float64Array(counterLayout.length);
    const linesDropped = () => ({ disk: 3, cmcd: 0 });
    registerServingMetrics(metrics, { counts, native: slots, linesDropped });
    slots[counterLayout.statuses + nativeStatuses.indexOf(206)] = 40;
    slots[counterSlots.indexOf('shedOverloaded')] = 5;
    slots[counterSlots.indexOf('tlsHandshakes')] = 9;
    slots[counterSlots.indexOf('tlsResumed')] = 4;
    slots[counterSlots.indexOf('recordsDropped')] = 2;
    slots[counterLayout.handOvers + handOverReasons.indexOf('policy')] = 6;
    slots[counterLayout.duration] = 10;
    slots[counterLayout.duration + latencyBoundsUs.length] = 1;
    slots[counterLayout.duration + latencyBoundsUs.length + 1] = 90_000_000;
    counts.statuses.add('206', 2);
    counts.refusals.add('OVERLOADED');
    counts.handshakes.add('failed');
    counts.durationUs.observe(60);
    const text = await metrics.text();
    for (const line of [
      ...['nearcast_requests_total{status="206"} 42', 'nearcast_refusals_total{code="OVERLOADED"} 6'],
      'nearcast_tls_handshakes_total{outcome="failed"} 1',
      ...['nearcast_tls_handshakes_total{outcome="full"} 5', 'nearcast_hand_overs_total{reason="policy"} 6'],
      ...['nearcast_dropped_records_total{why="ring"} 2', 'nearcast_dropped_records_total{why="disk"} 3'],
      ...[
        'nearcast_request_seconds_bucket{le="0.00005"} 10',
        'nearcast_request_seconds_bucket{le="0.0001"} 11',
      ],
      ...['nearcast_request_seconds_bucket{le="60"} 11', 'nearcast_request_seconds_bucket{le="+Inf"} 12'],
      ...['nearcast_request_seconds_count 12', 'nearcast_request_seconds_sum 90.00006'],
    ]) {
      test.ok(text.includes(`${line}\n`), line);
    }
    test.match(text, '# TYPE nearcast_request_seconds histogram');
    const [, ...more] = text.match(/# TYPE nearcast_request_seconds/g) ?? [];
    test.equal(more.length, 0);
  },
);
