import type { Metrics, Sample } from '../../common/runtime/metrics.ts';
import {
  counterLayout,
  counterSlots,
  handOverReasons,
  latencyBoundsUs,
  nativeStatuses,
  type CounterName,
} from '../engine/native-counters.ts';
import type { CmcdFacts } from './cmcd.ts';

/** Counts of one kind by the value of their label. */
export class Counts {
  readonly #by = new Map<string, number>();

  add(label: string, by = 1): void {
    this.#by.set(label, (this.#by.get(label) ?? 0) + by);
  }

  get(label: string): number {
    return this.#by.get(label) ?? 0;
  }

  labels(): Iterable<string> {
    return this.#by.keys();
  }
}

/** A distribution: how many fell under each bound and over the last, and their sum. */
export class Distribution {
  readonly counts: number[];
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const under = this.#bounds.findIndex((bound) => value <= bound);
    const at = under === -1 ? this.#bounds.length : under;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.sum += value;
  }
}

// Bits per second that players measured: from below the lowest rendition to what an access line gives.
const throughputBounds = [
  250e3, 500e3, 1e6, 2e6, 4e6, 6e6, 8e6, 12e6, 16e6, 25e6, 50e6, 100e6, 200e6, 500e6, 1e9,
];

/** What the TypeScript engine and players' reports add up to. What the addon counts stands in its own array. */
export class ServingCounts {
  readonly statuses = new Counts();
  readonly sentBytes = new Counts();
  readonly refusals = new Counts();
  readonly cuts = new Counts();
  readonly handshakes = new Counts();
  readonly durationUs = new Distribution(latencyBoundsUs);
  readonly ttfbUs = new Distribution(latencyBoundsUs);
  readonly throughput = new Distribution(throughputBounds);
  reports = 0;
  starvations = 0;
  startups = 0;

  /** What a player told with a request; who it was is not kept. */
  told(facts: CmcdFacts): void {
    this.reports++;
    if (facts['bs'] === true) this.starvations++;
    if (facts['su'] === true) this.startups++;
    const { mtp } = facts;
    // Kilobits per second (CTA-5004); in version 2 it may be a list, of which the first is meant.
    const kilobits: unknown = Array.isArray(mtp) ? mtp[0] : mtp;
    if (typeof kilobits === 'number') this.throughput.observe(kilobits * 1000);
  }
}

export interface ServingMetricsParts {
  counts: ServingCounts;
  /** Where the addon counts, if it serves. */
  native: Float64Array;
  /** Lines that were lost, by why. */
  linesDropped: () => { readonly disk: number; readonly cmcd: number };
}

/**
 * Registers what serving counts, read at each scrape. Both engines count the same things: they stand in one metric, as
 * the sum. A count that only the addon has is 0 where it does not serve.
 */
export function registerServingMetrics(metrics: Metrics, parts: ServingMetricsParts): void {
  const native = nativeReader(parts.native);
  registerRequests(metrics, parts.counts, native);
  registerConnections(metrics, parts.counts, native);
  registerNativeWork(metrics, native, parts);
  registerPlayers(metrics, parts.counts);
}

/** Reads the addon's array; everything is 0 where it does not serve. */
interface NativeReader {
  readonly slot: (name: CounterName) => number;
  readonly at: (index: number) => number;
}

function nativeReader(counters: Float64Array): NativeReader {
  const at = (index: number): number => counters[index] ?? 0;
  return { at, slot: (name) => at(counterSlots.indexOf(name)) };
}

function registerRequests(metrics: Metrics, counts: ServingCounts, native: NativeReader): void {
  const counter = registerAs(metrics, 'counter');
  const { slot, at } = native;
  counter('nearcast_requests_total', 'Requests answered, by status', () =>
    labelled(
      'status',
      counts.statuses,
      namesAt(nativeStatuses, (index) => at(counterLayout.statuses + index)),
    ),
  );
  counter('nearcast_sent_bytes_total', 'Bytes of files sent, by what the token is for', () =>
    // Of both engines: the native one's are told as they are taken from it.
    labelled('scope', counts.sentBytes, {}),
  );
  counter('nearcast_refusals_total', 'Requests refused, by problem code', () =>
    labelled('code', counts.refusals, { OVERLOADED: slot('shedOverloaded'), DRAINING: slot('shedDraining') }),
  );
  counter('nearcast_cut_bodies_total', 'Bodies that ended early, by why or by problem code', () =>
    labelled('reason', counts.cuts, {
      client: slot('cutClient'),
      idle: slot('cutIdle'),
      slow: slot('cutSlow'),
    }),
  );
  metrics.read({
    name: 'nearcast_request_seconds',
    help: 'From the request to the last byte handed to the kernel',
    type: 'histogram',
    samples: () => latencies(counts.durationUs, (index) => at(counterLayout.duration + index)),
  });
  metrics.read({
    name: 'nearcast_first_byte_seconds',
    help: 'From the request to the first byte handed to the kernel',
    type: 'histogram',
    samples: () => latencies(counts.ttfbUs, (index) => at(counterLayout.ttfb + index)),
  });
}

function registerConnections(metrics: Metrics, counts: ServingCounts, { slot, at }: NativeReader): void {
  const counter = registerAs(metrics, 'counter');
  const gauge = registerAs(metrics, 'gauge');
  gauge('nearcast_native_connections', 'Connections of the native engine, by kind', () =>
    labelled('kind', none, {
      plain: slot('connections') - slot('connectionsTls'),
      tls: slot('connectionsTls'),
      handed: slot('handedConnections'),
    }),
  );
  counter('nearcast_accepted_connections_total', 'Connections that the native engine accepted', () =>
    one(slot('accepted')),
  );
  counter('nearcast_refused_connections_total', 'Connections above a limit, by which', () =>
    labelled('limit', none, { box: slot('refusedTotal'), address: slot('refusedPerAddress') }),
  );
  counter('nearcast_accept_errors_total', 'Connections that could not be accepted', () =>
    one(slot('acceptErrors')),
  );
  counter('nearcast_tls_handshakes_total', 'TLS handshakes, by outcome', () =>
    labelled('outcome', counts.handshakes, {
      full: slot('tlsHandshakes') - slot('tlsResumed'),
      resumed: slot('tlsResumed'),
      failed: slot('tlsFailed'),
    }),
  );
  counter('nearcast_header_timeouts_total', 'Connections whose request did not come in time', () =>
    one(slot('timeoutHeaders')),
  );
  counter('nearcast_native_requests_total', 'Requests that the native engine answered by itself', () =>
    one(nativeStatuses.reduce((sum, _status, index) => sum + at(counterLayout.statuses + index), 0)),
  );
  counter('nearcast_hand_overs_total', 'Connections handed to the TypeScript engine, by why', () =>
    labelled(
      'reason',
      none,
      namesAt(handOverReasons, (index) => at(counterLayout.handOvers + index)),
    ),
  );
}

function registerNativeWork(metrics: Metrics, { slot }: NativeReader, parts: ServingMetricsParts): void {
  const counter = registerAs(metrics, 'counter');
  const gauge = registerAs(metrics, 'gauge');
  counter('nearcast_wire_bytes_total', 'Bytes that the native engine sent, heads and TLS included', () =>
    one(slot('bytesWire')),
  );
  counter('nearcast_parked_requests_total', 'Requests that waited for a decision of JavaScript', () =>
    one(slot('parkedTotal')),
  );
  gauge('nearcast_parked_requests', 'Requests that wait for a decision of JavaScript', () =>
    one(slot('parked')),
  );
  gauge('nearcast_native_open_files', 'Files that are open in the native engine', () =>
    one(slot('openFiles')),
  );
  gauge('nearcast_grants_count', 'Tokens that the native engine knows', () => one(slot('grants')));
  counter('nearcast_cold_reads_total', 'Ranges that were read from a disk', () => one(slot('coldReads')));
  counter('nearcast_cold_read_bytes_total', 'Bytes that were read from a disk', () =>
    one(slot('coldReadBytes')),
  );
  counter('nearcast_dropped_records_total', 'Requests that left no line in the access log, by why', () => {
    const { disk, cmcd } = parts.linesDropped();
    return labelled('why', none, { ring: slot('recordsDropped'), disk, cmcd });
  });
}

function registerPlayers(metrics: Metrics, counts: ServingCounts): void {
  const counter = registerAs(metrics, 'counter');
  counter('nearcast_cmcd_reports_total', 'Requests with CMCD that was understood', () => one(counts.reports));
  counter('nearcast_cmcd_starvations_total', 'Requests of players whose buffer had run empty', () =>
    one(counts.starvations),
  );
  counter('nearcast_cmcd_startups_total', 'Requests of players that start, seek or recover', () =>
    one(counts.startups),
  );
  metrics.read({
    name: 'nearcast_cmcd_throughput_bits_per_second',
    help: 'Throughput as players measured it',
    type: 'histogram',
    samples: () => buckets(counts.throughput.counts, throughputBounds, counts.throughput.sum),
  });
}

const none = new Counts();

type Register = (name: string, help: string, samples: () => Sample[]) => void;

function registerAs(metrics: Metrics, type: 'counter' | 'gauge'): Register {
  return (name, help, samples) => {
    metrics.read({ name, help, type, samples });
  };
}

function one(value: number): Sample[] {
  return [{ labels: {}, value }];
}

/** What both engines counted, by label. */
function labelled(label: string, mine: Counts, theirs: Readonly<Record<string, number>>): Sample[] {
  const values = new Set([...mine.labels(), ...Object.keys(theirs)]);
  return [...values].map((value) => ({
    labels: { [label]: value },
    value: mine.get(value) + (theirs[value] ?? 0),
  }));
}

function namesAt(names: readonly (string | number)[], at: (index: number) => number): Record<string, number> {
  return Object.fromEntries(names.map((name, index) => [String(name), at(index)]));
}

/** A distribution of both engines, in seconds. The addon's slots are the counts, the rest, and the sum. */
function latencies(mine: Distribution, theirs: (index: number) => number): Sample[] {
  const counts = mine.counts.map((count, index) => count + theirs(index));
  const sumUs = mine.sum + theirs(latencyBoundsUs.length + 1);
  return buckets(
    counts,
    latencyBoundsUs.map((us) => us / 1e6),
    sumUs / 1e6,
  );
}

/** Cumulative buckets, as Prometheus has them. */
function buckets(counts: readonly number[], bounds: readonly number[], sum: number): Sample[] {
  let total = 0;
  const samples: Sample[] = counts.map((count, index) => {
    total += count;
    return { suffix: '_bucket', labels: { le: String(bounds[index] ?? '+Inf') }, value: total };
  });
  return [
    ...samples,
    { suffix: '_sum', labels: {}, value: sum },
    { suffix: '_count', labels: {}, value: total },
  ];
}
