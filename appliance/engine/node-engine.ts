import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { filePath, type FilePath } from '../../common/core/file-path.ts';
import type { FileClaims, FileScope } from '../../common/core/tokens/delivery-token.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded, toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { admitUnder, calmLoad, type Admission, type LoadJudgement } from '../core/judge-load.ts';
import { planPreflight, planRedirect, planResponse, planTarget } from '../core/respond.ts';
import type { Missed, Misses } from '../pull/misses.ts';
import type { ContentForm, ContentSource, OpenContent, Piece } from '../store/content.ts';
import { engineLoad } from './engine-load.ts';
import type {
  Engine,
  EngineAddress,
  EngineLimits,
  EngineLoad,
  EngineTls,
  InheritedSocket,
  LoadReading,
  ServingRecords,
} from './engine.ts';
import {
  hasBody,
  metricsCaller,
  requestHeaders,
  sendText,
  type Exchange,
  type MetricsCaller,
  type PlainText,
} from './exchange.ts';
import { cutAnswer, endAfter, HttpFront, type AdoptOptions } from './http-front.ts';
import { LoadMeter } from './load-meter.ts';
import { isAmbiguous, refuseMalformed } from './malformed.ts';
import { RateFloor } from './rate-floor.ts';
import { ClientWatch, draining, overloaded, sendHead, sendProblem, sendRange } from './reply.ts';
import { RequestNote } from './request-note.ts';
import type { TokenGate } from './token-gate.ts';

export interface NodeEngineOptions {
  /** The node id, for CMSD. */
  name: string;
  gate: TokenGate;
  content: ContentSource;
  /** Absent where what is not held is refused. */
  misses?: Misses | undefined;
  records: ServingRecords;
  limits: EngineLimits;
  clock: Clock;
  log: Log;
  /** The body of `/healthz`. */
  health: () => PlainText;
  /** The body of `/probe`, by which steering knows this box. */
  probe: () => PlainText;
  /** The body of `/metrics`, for those who may see it. Errors: CREDENTIAL_MISSING and the like. */
  metrics: (caller: MetricsCaller) => Promise<PlainText>;
}

/** A file that is there to be sent, and to whom. */
interface ServedFile {
  readonly path: FilePath;
  readonly head: boolean;
  readonly scope: FileScope;
  readonly content: OpenContent;
  /** It comes from elsewhere as it is asked for. */
  readonly isPulled: boolean;
}

const retryAfterFillMs = 10_000;
/** What the storage reads at a time at most. */
const pieceBytes = 256 * 1024;

/** Makes the engine on Node's own HTTP server: all of the semantics, at the speed that JavaScript allows. */
export function createNodeEngine(options: NodeEngineOptions): NodeEngine {
  return new NodeEngine(options);
}

export class NodeEngine implements Engine {
  readonly #options: NodeEngineOptions;
  readonly #front: HttpFront;
  readonly #floor: RateFloor;
  readonly #meter = new LoadMeter();
  #admission: Admission = 'all';
  #judged: LoadJudgement = calmLoad;
  #liveRequests = 0;
  #failures = 0;
  #closing = false;
  /** Connections with requests that are being answered, and how many on each. */
  readonly #answering = new WeakMap<Duplex, number>();
  /** Connections on which something malformed came behind requests that are still being answered. */
  readonly #malformed = new WeakMap<Duplex, Error>();
  /** Their first bytes came before they did. */
  readonly #adopted = new WeakSet<Duplex>();
  /** Connections on which an answer was announced as the last one: nothing is said behind it. */
  readonly #ending = new WeakSet<Duplex>();

  constructor(options: NodeEngineOptions) {
    this.#options = options;
    const { limits } = options;
    this.#floor = new RateFloor({ ...limits, pieceBytes, monotonicMs: () => options.clock.monotonicMs() });
    this.#front = new HttpFront({
      limits,
      clock: options.clock,
      onRequest: (request, response) => {
        void this.#answer(request, response);
      },
      onHandshake: (outcome) => {
        options.records.handshake(outcome);
      },
      onMalformed: (error, socket) => {
        // What was asked before is answered before. Bytes of ours in the middle of a body would pass for the file's.
        if (this.#answering.has(socket)) this.#malformed.set(socket, error);
        else if (!this.#ending.has(socket)) this.#refuse(error, socket);
      },
    });
  }

  /** Goes on with a connection that was accepted elsewhere, and is counted by address there. */
  adopt(connection: Duplex, options: AdoptOptions): void {
    this.#adopted.add(connection);
    this.#front.adopt(connection, options);
  }

  listen(at: EngineAddress | InheritedSocket): Promise<EngineAddress> {
    return this.#front.listen(at);
  }

  admit(admission: Admission): void {
    this.#admission = admission;
  }

  shed(judgement: LoadJudgement): void {
    this.#judged = judgement;
  }

  readLoad(): LoadReading {
    const { ttfbCounts, sentBytes } = this.#meter;
    return {
      connections: this.#front.connections,
      liveRequests: this.#liveRequests,
      diskDelayMs: this.#meter.longestMs(this.#options.clock.monotonicMs()),
      ttfbCounts,
      sentBytes,
    };
  }

  load(): EngineLoad {
    const { connections } = this.#front;
    const counts = { connections, liveRequests: this.#liveRequests, failures: this.#failures };
    return engineLoad(counts, this.#options.limits, this.#judged);
  }

  tokensChanged(): void {
    // Every request asks the gate.
  }

  forget(_file: string): void {
    // Every request asks the store.
  }

  setTls(tls: EngineTls | undefined): void {
    this.#front.setTls(tls);
  }

  setTicketKeys(keys: readonly Buffer[]): void {
    this.#front.setTicketKeys(keys);
  }

  setAddressKey(_key: Buffer): void {
    // No record of this engine has an address.
  }

  close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    return this.#front.close(deadlineMs);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const note = new RequestNote(request, this.#options.clock);
    this.#liveRequests++;
    const { socket } = request;
    this.#answering.set(socket, (this.#answering.get(socket) ?? 0) + 1);
    // All of it is in the socket's queue then, and the socket is not yet closed behind it.
    response.once('prefinish', () => {
      this.#ended(socket, response);
    });
    const client = new ClientWatch(socket);
    const head = request.method === 'HEAD';
    // A body would have to be read before the next request; nobody has a reason to send one.
    // Behind a wish to speak something else the parser reads nothing (RFC 9110 §7.8 lets it be ignored).
    if (this.#closing || hasBody(request) || request.headers.upgrade !== undefined)
      endAfter(request, response);
    try {
      if (isAmbiguous(request)) {
        endAfter(request, response);
        throw coded('BAD_REQUEST');
      }
      await this.#route({ request, response, client, note });
    } catch (error) {
      this.#fail({ request, response, note, head }, error);
    } finally {
      client.end();
      this.#liveRequests--;
      this.#options.records.request(note.over(response.statusCode));
      // Its connection has no next request to wait for.
      if (this.#closing)
        setImmediate(() => {
          this.#front.closeIdle();
        });
    }
  }

  #ended(socket: Socket, response: ServerResponse): void {
    const left = (this.#answering.get(socket) ?? 1) - 1;
    if (left > 0) {
      this.#answering.set(socket, left);
      return;
    }
    this.#answering.delete(socket);
    const error = this.#malformed.get(socket);
    if (!response.shouldKeepAlive || response.getHeader('connection') === 'close') this.#ending.add(socket);
    else if (error !== undefined) this.#refuse(error, socket);
  }

  #refuse(error: Error, socket: Duplex): void {
    this.#ending.add(socket);
    const isSilent = socket instanceof Socket && socket.bytesRead === 0 && !this.#adopted.has(socket);
    const code = refuseMalformed(error, socket, !isSilent);
    if (code !== undefined) this.#options.records.refused(code);
  }

  async #route(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const target = planTarget(request.method ?? '', request.url ?? '');
    switch (target.kind) {
      case 'file':
        await this.#serve(exchange, { path: target.path, head: target.head });
        return;
      case 'preflight':
        sendHead(response, planPreflight());
        return;
      case 'health':
        sendText(exchange, this.#options.health());
        return;
      case 'probe':
        sendText(exchange, this.#options.probe());
        return;
      case 'metrics':
        sendText(exchange, await this.#options.metrics(metricsCaller(request)));
        return;
      case 'refused':
        throw coded(target.code);
    }
  }

  async #serve(exchange: Exchange, { path, head }: { path: FilePath; head: boolean }): Promise<void> {
    const { note } = exchange;
    note.asksFor(path);
    this.#shed(path, exchange);
    const admitted = await this.#options.gate.admit(path, exchange.request.socket.remoteAddress ?? '');
    if (!admitted.ok) throw coded(admitted.code, admitted.detail);
    const { scope } = admitted.value;
    note.scope = scope;
    // Who fills has other sources, and no viewer waits for it.
    if (scope === 'fill' && this.#judged.level !== 'normal')
      throw coded('OVERLOADED', { retryAfterMs: retryAfterFillMs });
    const found = await this.#find(path, admitted.value);
    if (found.kind === 'unknown') throw coded('FILE_UNKNOWN');
    if (found.kind === 'elsewhere') {
      const { token, file, ext } = path;
      const query = /\?.*$/.exec(exchange.request.url ?? '')?.[0] ?? '';
      sendHead(exchange.response, planRedirect(`${found.base}${filePath(token, file, ext)}${query}`));
      return;
    }
    try {
      await this.#send(exchange, { path, head, scope, ...found });
    } finally {
      found.content.release();
    }
  }

  /** What is held or, for a viewer, can be had. Who fills asks elsewhere: a box never fetches for another one. */
  async #find(path: FilePath, { scope, session }: FileClaims): Promise<Missed & { isPulled: boolean }> {
    const { content, misses } = this.#options;
    const form = formOf(path);
    const held = await content.open(path.file, form);
    if (held !== undefined) return { kind: 'content', content: held, isPulled: false };
    if (misses === undefined || scope === 'fill') return { kind: 'unknown', isPulled: false };
    return { ...(await misses.open(path, { form, session })), isPulled: true };
  }

  async #send(exchange: Exchange, file: ServedFile): Promise<void> {
    const { note, request, response } = exchange;
    const { path, head, scope, content, isPulled } = file;
    const { clock } = this.#options;
    const floor = this.#floor.watch(request.socket);
    let first: Piece | undefined;
    try {
      const headers = requestHeaders(request);
      const { sizeBytes, lastModifiedMs } = content;
      const describe = (cache: 'hit' | 'miss') => {
        const delayMs = clock.monotonicMs() - note.startedAtMs;
        const responder = { box: this.#options.name, delayMs };
        return planResponse({ ...headers, head }, { path, sizeBytes, lastModifiedMs, cache }, responder);
      };
      const plan = describe('hit');
      if (plan.body === undefined) {
        sendHead(response, plan);
        return;
      }
      const { start, end } = plan.body;
      const cache = content.isLocal(start) ? 'hit' : 'miss';
      // How long other boxes take says nothing of how busy this one is.
      const isOurs = !isPulled || cache === 'hit';
      const read = content.read(start, end - start + 1);
      // Before the head: what cannot be read must not be promised, and the head tells how long it took.
      first = await (isOurs ? this.#meter.timed(read, () => clock.monotonicMs()) : read);
      response.writeHead(plan.status, describe(cache).headers);
      const ttfbMs = note.begun();
      if (isOurs) this.#meter.answered(ttfbMs);
      note.range = [start, end];
      note.cache = cache;
      const onSent = (bytes: number): void => {
        this.#meter.sentBytes += bytes;
        note.sentBytes += bytes;
        if (formOf(path) === 'content') this.#options.records.sent(path.file, scope, bytes);
      };
      const lent = first;
      first = undefined;
      const outcome = await sendRange({ ...exchange, content, first: lent, start, end, onSent, floor });
      if (outcome === 'sent') response.end();
      else {
        note.isCut = true;
        this.#options.records.cut(floor.isCut ? 'slow' : 'client');
      }
    } finally {
      floor.end();
      first?.release();
    }
  }

  /** Load is shed before anything is spent on it. Sessions that are being played outlast the others in a drain. */
  #shed(path: FilePath, { request, response }: Exchange): void {
    const { limits, gate } = this.#options;
    const { admission, why } = admitUnder(this.#admission, this.#judged.level);
    const refusesNew = admission === 'known-sessions' && !gate.isKnown(path.token);
    if (this.#closing || admission === 'nobody' || refusesNew) {
      endAfter(request, response);
      throw this.#closing || why === 'draining' ? draining() : overloaded();
    }
    const { connections, addresses } = this.#front;
    const isOneTooMany = connections > limits.connectionsMax || addresses.isOver(request.socket);
    if (isOneTooMany || this.#liveRequests > limits.requestsMax) {
      if (isOneTooMany) endAfter(request, response);
      throw overloaded();
    }
  }

  #fail(
    exchange: { request: IncomingMessage; response: ServerResponse; note: RequestNote; head: boolean },
    error: unknown,
  ): void {
    const failure = toCoded(error);
    const { log, records } = this.#options;
    if (failure.status >= 500) {
      this.#failures++;
      log.warn({ code: failure.code, err: failure }, 'a request failed');
    }
    if (exchange.response.headersSent) {
      exchange.note.isCut = true;
      records.cut(failure.code);
      cutAnswer(exchange.request, exchange.response);
      return;
    }
    records.refused(failure.code);
    sendProblem(exchange.response, failure, { head: exchange.head });
  }
}

function formOf({ ext }: FilePath): ContentForm {
  return ext === 'chunks' ? 'descriptor' : 'content';
}
