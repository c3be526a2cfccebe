import type { FillKind } from '../../common/contract/fill.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';

/** What pull-through tells about its work. */
export interface PullRecords {
  /** Bytes of chunks that came and are right. */
  received(kind: FillKind, bytes: number): void;
  /** A chunk that a viewer needed: there already, on its way for another one, fetched for this one, or not to be had. */
  chunk(outcome: 'here' | 'joined' | 'fetched' | 'failed'): void;
  /** A source failed. */
  failure(kind: 'absent' | 'denied' | 'busy' | 'lies' | 'fails'): void;
  /** A request for a file that is not held. */
  miss(outcome: 'pulled' | 'redirected' | 'refused'): void;
}

/** Makes the metrics of pull-through, and what feeds them. */
export function pullRecords(metrics: Metrics, readFiles: () => number): PullRecords {
  const bytes = metrics.counter({
    name: 'nearcast_pulled_bytes_total',
    help: 'Bytes fetched because viewers asked for what is not held, by kind of source',
    labels: ['kind'],
  });
  const chunks = metrics.counter({
    name: 'nearcast_pull_chunks_total',
    help: 'Chunks of files not held that viewers needed, by how they came',
    labels: ['outcome'],
  });
  const failures = metrics.counter({
    name: 'nearcast_pull_failures_total',
    help: 'Requests upstream that failed, by how',
    labels: ['kind'],
  });
  const misses = metrics.counter({
    name: 'nearcast_misses_total',
    help: 'Requests for files not held, by what became of them',
    labels: ['outcome'],
  });
  metrics.gauge({
    name: 'nearcast_pulled_files',
    help: 'Files that are here in part because viewers asked for them',
    collect: (gauge) => {
      gauge.set(readFiles());
    },
  });
  return {
    received: (kind, count) => {
      bytes.inc({ kind }, count);
    },
    chunk: (outcome) => {
      chunks.inc({ outcome });
    },
    failure: (kind) => {
      failures.inc({ kind });
    },
    miss: (outcome) => {
      misses.inc({ outcome });
    },
  };
}
