/** Slots of the counters that the addon writes (`native/counters.h` has the same order; a test compares them). */
export const counterSlots = [
  'connections',
  'connectionsTls',
  'liveRequests',
  'handedConnections',
  'accepted',
  'refusedTotal',
  'refusedPerAddress',
  'tlsHandshakes',
  'tlsResumed',
  'tlsFailed',
  'bytesSent',
  'bytesWire',
  'cutClient',
  'cutFile',
  'cutIdle',
  'cutSlow',
  'timeoutHeaders',
  'shedOverloaded',
  'shedDraining',
  'parked',
  'parkedTotal',
  'recordsDropped',
  'openFiles',
  'grants',
  'coldReads',
  'coldReadBytes',
  'diskWaitUsMax',
  'ttfbUsEwma',
  'acceptErrors',
] as const;
export type CounterName = (typeof counterSlots)[number];

/** After the named slots: hand-overs by reason, statuses, and the two histograms. */
export const handOverReasons = [
  'method',
  'version',
  'target',
  'syntax',
  'size',
  'body',
  'range',
  'condition',
  'policy',
  'protocol',
] as const;
export const nativeStatuses = [200, 206, 304, 408, 429] as const;
/** Upper bounds of the latency histograms in microseconds; a last bucket takes the rest, then comes the sum. */
export const latencyBoundsUs = [
  50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000,
  10_000_000, 60_000_000,
] as const;

export const counterLayout = layOut();

function layOut() {
  const handOvers = counterSlots.length;
  const statuses = handOvers + handOverReasons.length;
  const duration = statuses + nativeStatuses.length;
  const histogram = latencyBoundsUs.length + 2;
  const ttfb = duration + histogram;
  return { handOvers, statuses, duration, ttfb, length: ttfb + histogram } as const;
}
