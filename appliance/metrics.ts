import type { ProblemCode } from '../common/contract/problem.ts';
import type { Metrics } from '../common/runtime/metrics.ts';
import type { ServingLoad } from './serving/unit.ts';

/** What the fill tells about its work. */
export interface FillRecords {
  received(kind: 'peer' | 'tier' | 'origin', bytes: number): void;
  chunk(outcome: 'verified' | 'refused'): void;
  file(outcome: 'held' | 'failed'): void;
}

/** What the uplink tells. */
export interface UplinkRecords {
  heartbeat(outcome: 'acknowledged' | 'failed'): void;
  document(kind: string, outcome: 'taken' | ProblemCode): void;
  routes(kind: 'full' | 'delta', outcome: 'acknowledged' | 'failed'): void;
}

/** What the scrub tells. */
export interface ScrubRecords {
  chunk(why: 'scrub' | 'sample', outcome: 'good' | 'bad'): void;
}

/** Makes the metrics of the process that fills and reports, and what feeds them. */
export function nodeRecords(metrics: Metrics): {
  fill: FillRecords;
  uplink: UplinkRecords;
  scrub: ScrubRecords;
} {
  const filledBytes = metrics.counter({
    name: 'nearcast_filled_bytes_total',
    help: 'Bytes received by fill, by kind of source',
    labels: ['kind'],
  });
  const chunks = metrics.counter({
    name: 'nearcast_fill_chunks_total',
    help: 'Chunks received by fill, by whether they matched their hash',
    labels: ['outcome'],
  });
  const files = metrics.counter({
    name: 'nearcast_fill_files_total',
    help: 'Files whose fill ended, by outcome',
    labels: ['outcome'],
  });
  const heartbeats = metrics.counter({
    name: 'nearcast_heartbeats_total',
    help: 'Heartbeats, by whether the control plane acknowledged them',
    labels: ['outcome'],
  });
  const documents = metrics.counter({
    name: 'nearcast_documents_total',
    help: 'Signed documents received, by kind and outcome',
    labels: ['kind', 'outcome'],
  });
  const routeTables = metrics.counter({
    name: 'nearcast_route_tables_total',
    help: 'Route tables told to the control plane, whole or as what changed, by outcome',
    labels: ['kind', 'outcome'],
  });
  const scrubbed = metrics.counter({
    name: 'nearcast_scrubbed_chunks_total',
    help: 'Held chunks that were verified again: all in turn (scrub), or after some of their file was served (sample)',
    labels: ['why', 'outcome'],
  });
  return {
    scrub: {
      chunk: (why, outcome) => {
        scrubbed.inc({ why, outcome });
      },
    },
    fill: {
      received: (kind, bytes) => {
        filledBytes.inc({ kind }, bytes);
      },
      chunk: (outcome) => {
        chunks.inc({ outcome });
      },
      file: (outcome) => {
        files.inc({ outcome });
      },
    },
    uplink: {
      heartbeat: (outcome) => {
        heartbeats.inc({ outcome });
      },
      document: (kind, outcome) => {
        documents.inc({ kind, outcome });
      },
      routes: (kind, outcome) => {
        routeTables.inc({ kind, outcome });
      },
    },
  };
}

/** Gauges that are read when somebody looks. */
export function registerGauges(
  metrics: Metrics,
  read: {
    load: () => ServingLoad;
    heldFiles: () => number;
    missingFiles: () => number;
    routes: () => number;
    disks: () => Readonly<Record<string, number>>;
    droppedReports: () => Readonly<Record<'served' | 'fill', number>>;
  },
): void {
  const gauge = (name: string, help: string, value: () => number): void => {
    metrics.gauge({
      name,
      help,
      collect: (made) => {
        made.set(value());
      },
    });
  };
  gauge('nearcast_live_requests', 'Requests being answered now', () => read.load().liveRequests);
  gauge('nearcast_live_sessions', 'Sessions that asked for something lately', () => read.load().liveSessions);
  gauge('nearcast_headroom_ratio', 'Share of the serving capacity that is free', () => read.load().headroom);
  gauge('nearcast_open_files', 'Descriptors of content that are open', () => read.load().openFiles);
  gauge('nearcast_held_files', 'Files held whole', read.heldFiles);
  gauge('nearcast_missing_files', 'Files that the manifest wants and that are not held', read.missingFiles);
  gauge('nearcast_routes_count', 'Routes that the box has learned', read.routes);
  metrics.read({
    name: 'nearcast_disks_count',
    help: 'Disks, by state: serving, draining, or out of use',
    type: 'gauge',
    samples: () => Object.entries(read.disks()).map(([state, value]) => ({ labels: { state }, value })),
  });
  metrics.read({
    name: 'nearcast_dropped_reports_total',
    help: 'Reports that never reached the control plane: it was away for too long, or refused them',
    type: 'counter',
    samples: () =>
      Object.entries(read.droppedReports()).map(([kind, value]) => ({ labels: { kind }, value })),
  });
}
