import { Type } from '../../common/contract/type.ts';
import type { BoxReport } from '../../common/contract/health.ts';
import { NodeId } from '../../common/contract/primitives.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { App } from '../../common/runtime/http-app.ts';
import type { Log } from '../../common/runtime/log.ts';
import { BoxStream } from './box-stream.ts';

export interface BoxStreamsOptions {
  /** This node's id: a box's proof names it in its path, so that no other node can use it. */
  readonly node: string;
  readonly clock: Clock;
  readonly log: Log;
  /** A box that has said nothing for so long is silent. */
  readonly silentMs: number;
  /** A box said something, or says nothing any more; urgent where it changes who may be sent to it. */
  readonly onChange: (urgency: 'urgent' | 'soon') => void;
  /** The stream has ended or is silent: the box may be gone. */
  readonly onDoubt: (id: string) => void;
}

/** The streams that boxes keep to this node, one of each. */
export interface BoxStreams {
  /** Registers the route that boxes open them by. */
  addTo(app: App): void;
  /** What the box said last, while its stream is alive. */
  report(id: string): BoxReport | undefined;
  state(id: string): 'live' | 'silent' | 'none';
  /** Ends the streams of all others. */
  keepOnly(ids: ReadonlySet<string>): void;
  /** Looks for the silent until the signal is aborted; then ends all. */
  run(signal: AbortSignal): Promise<void>;
}

const lookMs = 250;
const tickMs = 1000;
/** Silent for so many times as long, the stream is given up: the box opens another, if it is there. */
const giveUpAfter = 3;
const StreamParams = Type.Object({ node: NodeId });

export function createBoxStreams(options: BoxStreamsOptions): BoxStreams {
  return new Streams(options);
}

class Streams implements BoxStreams {
  readonly #options: BoxStreamsOptions;
  readonly #streams = new Map<string, BoxStream>();
  #isOver = false;

  constructor(options: BoxStreamsOptions) {
    this.#options = options;
  }

  addTo(app: App): void {
    // Read as it comes, by the stream itself.
    app.addContentTypeParser('application/x-ndjson', (_request, _payload, done) => {
      done(null);
    });
    app.post(
      '/v1/health-stream/:node',
      {
        config: { credential: ['node:appliance', 'node:origin'] },
        schema: {
          summary: 'A box tells how it is, a line at a time, for as long as it lives',
          params: StreamParams,
        },
      },
      (request, reply) => {
        const { node } = this.#options;
        if (request.caller.kind !== 'node') throw coded('FORBIDDEN');
        if (request.params.node !== node) throw coded('FORBIDDEN', `this is ${node}`);
        if (this.#isOver) throw coded('DRAINING');
        reply.hijack();
        this.#open(request.caller.nodeId, { request: request.raw, response: reply.raw });
      },
    );
  }

  report(id: string): BoxReport | undefined {
    const stream = this.#streams.get(id);
    return stream?.isSilent === true ? undefined : stream?.report;
  }

  state(id: string): 'live' | 'silent' | 'none' {
    const stream = this.#streams.get(id);
    if (stream === undefined) return 'none';
    return stream.isSilent ? 'silent' : 'live';
  }

  keepOnly(ids: ReadonlySet<string>): void {
    for (const [id, stream] of [...this.#streams]) if (!ids.has(id)) stream.end('it is not in the map');
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let lookedMs = clock.monotonicMs();
    let sinceTickMs = 0;
    const isEnded = (): boolean => signal.aborted;
    while (!isEnded()) {
      await clock.sleep(lookMs, { signal }).catch(() => undefined);
      const nowMs = clock.monotonicMs();
      const tookMs = nowMs - lookedMs;
      lookedMs = nowMs;
      // Where this process stood still, what boxes said waits to be read.
      if (tookMs > 4 * lookMs) for (const stream of this.#streams.values()) stream.heardAtMs += tookMs;
      this.#look(nowMs);
      sinceTickMs += tookMs;
      if (sinceTickMs < tickMs) continue;
      sinceTickMs = 0;
      for (const stream of this.#streams.values()) stream.tick();
    }
    this.#isOver = true;
    for (const stream of [...this.#streams.values()]) stream.end('steering stops');
  }

  #look(nowMs: number): void {
    const { silentMs, onDoubt, onChange, log } = this.#options;
    for (const [id, stream] of [...this.#streams]) {
      const quietMs = nowMs - stream.heardAtMs;
      if (quietMs > silentMs * giveUpAfter) stream.end(`it has said nothing for ${Math.round(quietMs)} ms`);
      else if (quietMs > silentMs && !stream.isSilent) {
        stream.isSilent = true;
        log.warn({ node: id, quietMs: Math.round(quietMs) }, 'a box is silent');
        onDoubt(id);
        onChange('urgent');
      }
    }
  }

  #open(
    id: string,
    exchange: Pick<ConstructorParameters<typeof BoxStream>[0], 'request' | 'response'>,
  ): void {
    const { clock, log, onChange } = this.#options;
    const earlier = this.#streams.get(id);
    const stream = new BoxStream({
      ...exchange,
      monotonicMs: () => clock.monotonicMs(),
      onReport: (report, before) => {
        onChange(decides(report, before) ? 'urgent' : 'soon');
      },
      onEnd: (why) => {
        this.#ended(id, stream, why);
      },
    });
    this.#streams.set(id, stream);
    // After the new one is in place: that the old one ends says nothing of the box.
    earlier?.end('the box has opened another');
    log.debug({ node: id }, 'a box tells how it is');
  }

  #ended(id: string, stream: BoxStream, why: string): void {
    if (this.#isOver || this.#streams.get(id) !== stream) return;
    this.#streams.delete(id);
    const { log, onDoubt, onChange } = this.#options;
    log.info({ node: id, why }, 'the stream of a box has ended');
    onDoubt(id);
    onChange('urgent');
  }
}

/** Whether the two differ in what decides who is sent to the box. */
function decides(report: BoxReport, before: BoxReport | undefined): boolean {
  if (before === undefined) return true;
  if (report.state !== before.state || report.level !== before.level) return true;
  if ((report.headroom === 0) !== (before.headroom === 0)) return true;
  return report.reasons.join() !== before.reasons.join();
}
