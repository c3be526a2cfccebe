import type { IncomingMessage, ServerResponse } from 'node:http';
import { BoxReport, reportBytesMax } from '../../common/contract/health.ts';
import { isCoded } from '../../common/runtime/errors.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';

export interface BoxStreamOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly monotonicMs: () => number;
  readonly onReport: (report: BoxReport, before: BoxReport | undefined) => void;
  /** Called once, whoever ended it and however. */
  readonly onEnd: (why: string) => void;
}

/** Lines that a box may send between two ticks; it has one a second to say, and some more when much changes. */
const linesPerTickMax = 64;

/** The stream that a box keeps to this node: one report a line, and an empty line back for each tick. */
export class BoxStream {
  /** Monotonic time of the last report. */
  heardAtMs: number;
  report: BoxReport | undefined;
  isSilent = false;
  readonly #options: BoxStreamOptions;
  #text = '';
  #lines = 0;
  #isOver = false;

  constructor(options: BoxStreamOptions) {
    const { request, response, monotonicMs } = options;
    this.#options = options;
    this.heardAtMs = monotonicMs();
    request.setEncoding('utf8');
    request.on('data', (part: string) => {
      this.#take(part);
    });
    for (const stream of [request, response]) {
      stream.once('error', () => {
        this.end('its stream broke');
      });
      stream.once('close', () => {
        this.end('its stream has ended');
      });
    }
    request.once('end', () => {
      this.end('its stream has ended');
    });
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.flushHeaders();
  }

  /** Tells the box that this node lives. */
  tick(): void {
    this.#lines = 0;
    const { response } = this.#options;
    if (!this.#isOver && !response.writableNeedDrain) response.write('\n');
  }

  end(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.report = undefined;
    this.#options.request.socket.destroy();
    this.#options.onEnd(why);
  }

  #take(part: string): void {
    const lines = `${this.#text}${part}`.split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) this.#hear(line);
    if (this.#text.length > reportBytesMax) this.end('it said a line without end');
  }

  #hear(line: string): void {
    if (this.#isOver) return;
    if (line.length > reportBytesMax) {
      this.end('it said a line that is too long');
      return;
    }
    if (++this.#lines > linesPerTickMax) {
      this.end('it said too much');
      return;
    }
    const before = this.report;
    try {
      this.report = parseJsonAs(BoxReport, line, { what: 'a report' });
    } catch (error) {
      this.end(`it said what is no report (${isCoded(error) ? error.message : 'unreadable'})`);
      return;
    }
    this.heardAtMs = this.#options.monotonicMs();
    this.isSilent = false;
    this.#options.onReport(this.report, before);
  }
}
