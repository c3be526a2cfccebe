import { AggregatorRegistry } from 'prom-client';

import type { Metric } from './messages.ts';

/**
 * The metrics of several processes as one: counts and histograms are summed, and those of workers that died stay in the
 * sum, since a counter must never go back (Prometheus would take that for a restart of the box).
 */
export class BoxMetrics {
  #past: Metric[] = [];

  /** The last metrics of a process that is gone. */
  keep(last: readonly Metric[]): void {
    const counted = last.filter(({ type }) => type === 'counter' || type === 'histogram');
    const sum = AggregatorRegistry.aggregate([this.#past, counted]);
    // What it holds are the summed metrics themselves; its types say less.
    this.#past = sum.getMetricsAsArray() as unknown as Metric[];
  }

  /** All as Prometheus reads it; the master's first, which speaks for the box where there is nothing to sum. */
  text(processes: readonly (readonly Metric[])[]): Promise<string> {
    const all = processes.map((metrics) => metrics.map(asSummed));
    return AggregatorRegistry.aggregate([...all, this.#past]).metrics();
  }
}

/** How a metric is brought together with the same one of other processes, where prom-client's way says too little. */
function asSummed(metric: Metric): Metric {
  return { ...metric, aggregator: aggregatorOf(metric), values: metric.values.map(withNumber) };
}

function aggregatorOf({ name, aggregator }: Metric): string {
  // One version, one name, one start: those of the box.
  if (name.endsWith('_info') || aggregator === 'omit') return 'first';
  // The mean of a busy and an idle event loop hides the busy one.
  return aggregator === 'average' ? 'max' : aggregator;
}

// JSON has no NaN.
function withNumber(value: Metric['values'][number]): Metric['values'][number] {
  return value.value === null ? { ...value, value: NaN } : value;
}
