import {
  collectDefaultMetrics,
  Counter,
  Gauge,
  Histogram,
  Registry,
  type CounterConfiguration,
  type GaugeConfiguration,
  type HistogramConfiguration,
} from 'prom-client';
import { assert } from './errors.ts';

/** The metrics of one process. Names start with `nearcast_` and end in their unit. */
export interface Metrics {
  registry: Registry;
  /** Counts up; the name ends in `_total`, after the unit if it has one: `nearcast_served_bytes_total`. */
  counter<L extends string = never>(options: MetricOptions<L>): Counter<L>;
  /** A value that goes up and down; `collect` is called before each reading. */
  gauge<L extends string = never>(options: GaugeOptions<L>): Gauge<L>;
  /** A distribution; the default buckets are for `_seconds` from 1 ms to 10 s. */
  histogram<L extends string = never>(options: HistogramOptions<L>): Histogram<L>;
  /** A metric whose values are kept elsewhere and read at each scrape. */
  read(options: ReadOptions): void;
  /** Everything in the Prometheus text format. */
  text(): Promise<string>;
  contentType: string;
}

export interface MetricOptions<L extends string> {
  name: string;
  help: string;
  labels?: readonly L[];
}

/** One line of a metric; of a histogram `suffix` says which. */
export interface Sample {
  readonly suffix?: '_bucket' | '_sum' | '_count';
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadOptions {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  samples: () => readonly Sample[];
}

export interface GaugeOptions<L extends string> extends MetricOptions<L> {
  collect?: (gauge: Gauge<L>) => void;
}

export interface HistogramOptions<L extends string> extends MetricOptions<L> {
  buckets?: readonly number[];
}

/** Content type of the Prometheus text format. */
export const metricsContentType = Registry.PROMETHEUS_CONTENT_TYPE;

const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const UNIT =
  /_(?:seconds|bytes|bits_per_second|ratio|celsius|info|count|files|requests|connections|nodes|jobs|sessions|timestamp_seconds)$/;

/** Makes a registry of its own with the process's metrics (CPU, memory, event loop, handles) and a build info gauge. */
export function createMetrics(options: { name: string; version: string }): Metrics {
  const registry = new Registry();
  // Looked at a hundred times a second, as it would be, the loop's delay costs an idle process most of its CPU.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  const metrics = metricsOf(registry);
  metrics
    .gauge({
      name: 'nearcast_build_info',
      help: 'Which program this is; always 1',
      labels: ['name', 'version'],
    })
    .set({ name: options.name, version: options.version }, 1);
  return metrics;
}

function metricsOf(registry: Registry): Metrics {
  const base = <L extends string>({ name, help, labels }: MetricOptions<L>) => ({
    name,
    help,
    labelNames: [...(labels ?? [])],
    registers: [registry],
  });
  return {
    registry,
    contentType: registry.contentType,
    text: () => registry.metrics(),
    counter: <L extends string = never>(options: MetricOptions<L>) => {
      assertCounter(options.name);
      return new Counter<L>(base(options) satisfies CounterConfiguration<L>);
    },
    gauge: <L extends string = never>(options: GaugeOptions<L>) => {
      assertUnit(options.name);
      const { collect } = options;
      const gauge: Gauge<L> = new Gauge<L>({
        ...base(options),
        ...(collect !== undefined && {
          collect() {
            collect(gauge);
          },
        }),
      } satisfies GaugeConfiguration<L>);
      return gauge;
    },
    read: (options: ReadOptions) => {
      if (options.type === 'counter') assertCounter(options.name);
      else assertUnit(options.name);
      registry.registerMetric(new ReadMetric(options) as unknown as Counter);
    },
    histogram: <L extends string = never>(options: HistogramOptions<L>) => {
      assertUnit(options.name);
      assert(
        options.buckets !== undefined || options.name.endsWith('_seconds'),
        `histogram ${options.name} needs buckets: the defaults are for seconds`,
      );
      return new Histogram<L>({
        ...base(options),
        buckets: [...(options.buckets ?? SECONDS_BUCKETS)],
      } satisfies HistogramConfiguration<L>);
    },
  };
}

/** As prom-client's registry takes a metric of its own: by its shape. Several processes' values are summed. */
class ReadMetric {
  readonly #options: ReadOptions;
  readonly name: string;
  readonly help: string;
  readonly type: ReadOptions['type'];
  readonly aggregator = 'sum';

  constructor(options: ReadOptions) {
    this.#options = options;
    this.name = options.name;
    this.help = options.help;
    this.type = options.type;
  }

  get(): object {
    const { name, help, type, aggregator } = this;
    const values = this.#options.samples().map(({ suffix, labels, value }) => ({
      value,
      labels,
      ...(suffix !== undefined && { metricName: name + suffix }),
    }));
    return { name, help, type, aggregator, values };
  }

  reset(): void {
    // Its values are another's.
  }
}

function assertCounter(name: string): void {
  assert(/^nearcast_[a-z0-9_]+_total$/.test(name), `counter ${name} must end in _total`);
}

function assertUnit(name: string): void {
  assert(
    name.startsWith('nearcast_') && UNIT.test(name),
    `metric ${name} must be nearcast_… and end in its unit`,
  );
}
