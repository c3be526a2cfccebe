import type { Metrics } from '../common/runtime/metrics.ts';

export type JobEnd = 'completed' | 'failed' | 'lost' | 'handed-back';

/** What an encoder counts. */
export interface EncoderMetrics {
  /** A job begins; call what it returns when it ends. */
  startWork(): () => void;
  ended(end: JobEnd, result?: { durationMs: number; encodeMs: number; bytesWritten: number }): void;
}

const encodeSecondsBuckets = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000];

export function createEncoderMetrics(metrics: Metrics): EncoderMetrics {
  const working = metrics.gauge({ name: 'nearcast_encode_working_jobs', help: 'Jobs in work now' });
  const jobs = metrics.counter({
    name: 'nearcast_encode_jobs_total',
    help: 'Jobs by how they ended',
    labels: ['end'],
  });
  const seconds = metrics.histogram({
    name: 'nearcast_encode_seconds',
    help: 'Time from a fetched source to named files',
    buckets: encodeSecondsBuckets,
  });
  const film = metrics.counter({
    name: 'nearcast_encode_film_seconds_total',
    help: 'Length of the films encoded',
  });
  const bytes = metrics.counter({
    name: 'nearcast_encode_published_bytes_total',
    help: 'Bytes of files that were published',
  });
  return {
    startWork() {
      working.inc();
      return () => {
        working.dec();
      };
    },
    ended(end, result) {
      jobs.inc({ end });
      if (result === undefined) return;
      seconds.observe(result.encodeMs / 1000);
      film.inc(result.durationMs / 1000);
      bytes.inc(result.bytesWritten);
    },
  };
}
