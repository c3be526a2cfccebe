import { join } from 'node:path';

import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { FileScope } from '../../common/core/tokens/delivery-token.ts';
import type { ServingRecords } from '../engine/engine.ts';
import { counterLayout } from '../engine/native-counters.ts';
import { AccessLog } from './access-log.ts';
import { Pseudonyms } from './address-key.ts';
import type { AccessLogOptions } from './config.ts';
import { Recorder } from './recorder.ts';
import { registerServingMetrics, ServingCounts } from './serving-metrics.ts';

export interface ServingRecordingOptions {
  dataDir: string;
  accessLog: AccessLogOptions;
  /** Where this process counts. */
  metrics: Metrics;
  /** Bytes of a file have left. */
  onServed: (file: string, scope: FileScope, bytes: number) => void;
  /** Whether a CMCD content id names content of ours. */
  isOurs?: (id: string) => boolean;
  clock: Clock;
  log: Log;
}

/** Where the access log of a box is. */
export function accessLogPath(dataDir: string): string {
  return join(dataDir, 'logs', 'access.log');
}

/** Everything that serving leaves behind in one process: its metrics, and its lines in the access log. */
export class ServingRecording {
  /** For the TypeScript engine. */
  readonly records: ServingRecords;
  /** For the native engine: it counts here, and its records go to `recorder`. */
  readonly counters = new Float64Array(counterLayout.length);
  readonly recorder: Recorder;
  readonly #counts = new ServingCounts();
  readonly #pseudonyms: Pseudonyms | undefined;
  readonly #accessLog: AccessLog | undefined;

  constructor(options: ServingRecordingOptions) {
    const { dataDir, accessLog, metrics, clock, log, isOurs } = options;
    this.#pseudonyms = accessLog.addresses ? new Pseudonyms() : undefined;
    this.#accessLog = accessLog.enabled
      ? new AccessLog({ path: accessLogPath(dataDir), clock, log })
      : undefined;
    this.recorder = new Recorder({
      accessLog: this.#accessLog,
      pseudonyms: this.#pseudonyms,
      onCmcd: (facts) => {
        this.#counts.told(facts);
      },
      ...(isOurs !== undefined && { isOurs }),
      clock,
      log,
    });
    registerServingMetrics(metrics, {
      counts: this.#counts,
      native: this.counters,
      linesDropped: () => ({
        disk: this.#accessLog?.dropped ?? 0,
        cmcd: this.recorder.cmcdSkipped,
      }),
    });
    this.records = this.#makeRecords(options.onServed);
  }

  /** The day's key for pseudonyms. The native engine is given it too, unless addresses are not wanted. */
  setAddressKey(key: Buffer): void {
    this.#pseudonyms?.setKey(key);
  }

  /** Writes what is left. The engine has ended. */
  async close(): Promise<void> {
    await this.recorder.settled();
    await this.#accessLog?.close();
  }

  #makeRecords(onServed: ServingRecordingOptions['onServed']): ServingRecords {
    const counts = this.#counts;
    return {
      sent(file, scope, bytes) {
        counts.sentBytes.add(scope, bytes);
        onServed(file, scope, bytes);
      },
      request: (record) => {
        counts.statuses.add(String(record.status));
        counts.durationUs.observe(record.durationMs * 1000);
        counts.ttfbUs.observe(record.ttfbMs * 1000);
        this.recorder.request(record);
      },
      handshake(outcome) {
        counts.handshakes.add(outcome);
      },
      refused(code) {
        counts.refusals.add(code);
      },
      cut(reason) {
        counts.cuts.add(reason);
      },
    };
  }
}
