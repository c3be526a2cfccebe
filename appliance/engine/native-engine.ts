import { lookup } from 'node:dns/promises';
import { isIP, Socket } from 'node:net';

import { parseFilePath, type FilePath } from '../../common/core/file-path.ts';
import { coded, toCoded } from '../../common/runtime/errors.ts';
import { listenFailed } from '../../common/runtime/listen.ts';
import { admitUnder, calmLoad, type Admission, type LoadJudgement } from '../core/judge-load.ts';
import { etagOf, planResponse, timingHeaders, type ResponsePlan } from '../core/respond.ts';
import type { OpenContent } from '../store/content.ts';
import { isDiskFailure } from '../store/failure.ts';
import { engineLoad } from './engine-load.ts';
import type {
  Engine,
  EngineAddress,
  EngineLimits,
  EngineLoad,
  EngineShare,
  EngineTls,
  InheritedSocket,
  LoadReading,
} from './engine.ts';
import type { NativeAddon, NativeServer, Parked, StreamPeer } from './native-addon.ts';
import { counterLayout, counterSlots, latencyBoundsUs, type CounterName } from './native-counters.ts';
import { NativeStream } from './native-stream.ts';
import type { NodeEngine, NodeEngineOptions } from './node-engine.ts';
import { draining, overloaded, problemAnswer } from './reply.ts';
import { rememberedMsMax } from './token-gate.ts';

/** Where the records of requests go. */
export interface NativeRecords {
  /** Whole lines of the access log; the buffer is used again. */
  lines(bytes: Buffer): void;
  /** A line without its closing brace, and the CMCD that belongs to it, raw: `q=` the query's value, `h=` the headers. */
  withCmcd(line: string, cmcd: string): void;
}

export interface NativeEngineOptions extends NodeEngineOptions {
  addon: NativeAddon;
  /** Limits of the whole box. */
  limits: EngineLimits;
  share: EngineShare | undefined;
  /** Absent where no access log is kept. */
  requestRecords: NativeRecords | undefined;
  /** What the addon counts; others may read it. */
  counters: Float64Array<ArrayBuffer>;
  filesMax: number;
  readMemoryBytes: number;
}

const listenBacklog = 4096;
const turnBytes = 2 * 2 ** 20;
const grantsMax = 65_536;
const recordsMax = 16_384;
const readThreadsPerDisk = 8;
const drainEveryMs = 250;
const closePollMs = 20;
const admissionLevels = { all: 0, 'known-sessions': 1, nobody: 2 } as const;

/**
 * The engine with the addon in front: it answers what is plain, and hands every other connection to the TypeScript
 * engine behind it. What it may answer by itself is decided here, once for each token and file.
 */
export class NativeEngine implements Engine {
  readonly #options: NativeEngineOptions;
  readonly #node: NodeEngine;
  readonly #server: NativeServer;
  readonly #streams = new Map<number, NativeStream>();
  readonly #recordBytes = Buffer.allocUnsafeSlow(256 * 1024);
  readonly #drainTimer: NodeJS.Timeout;
  #ticketKeys: readonly Buffer[] = [];
  #admission: Admission = 'all';
  #judged: LoadJudgement = calmLoad;
  #failures = 0;
  /** How often tokens or files were taken back. */
  #withdrawals = 0;
  /** The addon's server is gone; what a box is told after its end (a file that came, a new key) is harmless. */
  #isDestroyed = false;

  constructor(options: NativeEngineOptions, node: NodeEngine) {
    this.#options = options;
    this.#node = node;
    this.#server = options.addon.createServer(nativeOptions(options), {
      park: (parked) => {
        void this.#decide(parked);
      },
      handOver: ({ fd, id }, bytes) => {
        this.#adoptSocket({ fd, id }, bytes);
      },
      handOverStream: (peer, bytes) => {
        this.#adoptStream(peer, bytes);
      },
      streamData: (id, bytes) => this.#streams.get(id)?.received(bytes),
      streamDrained: (id, isBroken) => this.#streams.get(id)?.drained(isBroken),
      streamClosed: (id) => {
        this.#streams.get(id)?.over();
        this.#streams.delete(id);
      },
      fileFailed: (failed) => {
        this.#fileFailed(failed);
      },
      recordsWaiting: () => {
        this.#drainRecords();
      },
    });
    this.#drainTimer = setInterval(() => {
      this.#drain();
    }, drainEveryMs);
    this.#drainTimer.unref();
  }

  async listen(at: EngineAddress | InheritedSocket): Promise<EngineAddress> {
    const { addon } = this.#options;
    if ('fd' in at) {
      this.#server.listen(at.fd);
      const bound = addon.boundAddress(at.fd);
      // The addon has its own; with this one open, nobody would be refused once the addon has let go of it.
      addon.closeSocket(at.fd);
      return bound;
    }
    const host = isIP(at.host) === 0 ? (await lookup(at.host)).address : at.host;
    try {
      const fd = addon.listenSocket({ host, port: at.port, backlog: listenBacklog, reusePort: false });
      this.#server.listen(fd);
      const bound = addon.boundAddress(fd);
      addon.closeSocket(fd);
      return bound;
    } catch (error) {
      throw listenFailed(error, at);
    }
  }

  admit(admission: Admission): void {
    this.#admission = admission;
    this.#node.admit(admission);
    this.#applyAdmission();
  }

  shed(judgement: LoadJudgement): void {
    this.#judged = judgement;
    this.#node.shed(judgement);
    this.#applyAdmission();
  }

  readLoad(): LoadReading {
    const behind = this.#node.readLoad();
    const { counters } = this.#options;
    const ttfb = counters.subarray(counterLayout.ttfb, counterLayout.ttfb + latencyBoundsUs.length + 1);
    return {
      // A stream of the engine behind is a connection here, so only what is counted here counts.
      connections: this.#count('connections') + this.#count('handedConnections'),
      liveRequests: this.#count('liveRequests') + behind.liveRequests,
      diskDelayMs: Math.max(this.#count('diskWaitUsMax') / 1000, behind.diskDelayMs),
      ttfbCounts: behind.ttfbCounts.map((count, at) => count + (ttfb[at] ?? 0)),
      sentBytes: this.#count('bytesPlay') + this.#count('bytesFill') + behind.sentBytes,
    };
  }

  load(): EngineLoad {
    const failures = this.#failures + this.#node.load().failures;
    return engineLoad({ ...this.readLoad(), failures }, this.#options.limits, this.#judged);
  }

  tokensChanged(): void {
    this.#withdrawals++;
    if (this.#isDestroyed) return;
    this.#server.forgetGrants();
  }

  forget(file: string): void {
    this.#withdrawals++;
    if (this.#isDestroyed) return;
    this.#server.forgetFile(file);
    this.#server.forgetBundle(file);
  }

  setTls(tls: EngineTls | undefined): void {
    this.#node.setTls(tls);
    if (this.#isDestroyed) return;
    this.#server.setTls(tls && { ...tls, ticketKeys: this.#ticketKeys });
  }

  setTicketKeys(keys: readonly Buffer[]): void {
    this.#ticketKeys = keys;
    if (this.#isDestroyed) return;
    this.#server.setTicketKeys(keys);
  }

  setAddressKey(key: Buffer): void {
    this.#node.setAddressKey(key);
    if (this.#isDestroyed) return;
    this.#server.setAddressKey(key);
  }

  async close(deadlineMs: number): Promise<void> {
    if (this.#isDestroyed) return;
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + deadlineMs;
    this.#server.stopListening();
    this.admit('nobody');
    this.#server.closeIdle();
    const behind = this.#node.close(deadlineMs);
    while (this.#count('connections') > 0 && clock.monotonicMs() < endMs) await clock.sleep(closePollMs);
    await behind;
    // Once more: what ended last has left its records.
    this.#drain();
    clearInterval(this.#drainTimer);
    this.#isDestroyed = true;
    for (const stream of this.#streams.values()) stream.over();
    this.#server.destroy();
  }

  #count(name: CounterName): number {
    return this.#options.counters[counterSlots.indexOf(name)] ?? 0;
  }

  #applyAdmission(): void {
    if (this.#isDestroyed) return;
    const { admission, why, shedFill } = admitUnder(this.#admission, this.#judged.level);
    this.#server.admit(admissionLevels[admission], why, shedFill);
  }

  async #decide({ id, token, file, ext, client }: Parked): Promise<void> {
    let isGranted = false;
    try {
      const path = parseFilePath(`/v1/${token}/${file}.${ext}`);
      isGranted = path !== undefined && (await this.#grant(path, client));
    } catch (error) {
      // The engine behind meets it again, and answers it.
      this.#options.log.debug({ err: toCoded(error) }, 'a request could not be decided');
    }
    if (!this.#isDestroyed) this.#server.decide(id, isGranted ? 'again' : 'handOver');
  }

  /** Installs what the addon needs to answer by itself; false where it is not to. */
  async #grant(path: FilePath, client: string, attempts = 3): Promise<boolean> {
    const { gate, content } = this.#options;
    const withdrawals = this.#withdrawals;
    const { admission } = admitUnder(this.#admission, this.#judged.level);
    if (admission !== 'all' && !gate.isKnown(path.token)) return false;
    const admitted = await gate.admit(path, client);
    if (!admitted.ok) return false;
    const { scope, bundle, expiresAtS } = admitted.value;
    if (scope === 'steer') return false;
    const opened = await content.open(path.file, path.ext === 'chunks' ? 'descriptor' : 'content');
    if (opened === undefined) return false;
    try {
      if (opened.whole === undefined) return false;
      // All that may be waited for has been: what follows is done in one turn.
      const files = bundle === undefined ? undefined : await gate.filesOf(bundle);
      if (this.#isDestroyed) return false;
      // What was taken back meanwhile is not installed after it was forgotten.
      if (withdrawals !== this.#withdrawals)
        return attempts > 1 && (await this.#grant(path, client, attempts - 1));
      if (bundle !== undefined && files !== undefined && !this.#server.has('bundle', bundle)) {
        this.#server.bundle(
          bundle,
          [...files].flatMap(([file, ext]) => [`${file}.${ext}`, `${file}.chunks`]),
        );
      }
      const { token } = path;
      const clients = admitted.value.clients;
      this.#server.grant({
        token,
        scope,
        expiresAtS,
        verifyAgainInMs: rememberedMsMax,
        ...(bundle !== undefined && { bundle }),
        ...(clients !== undefined && { clients }),
      });
      this.#open(path, opened, opened.whole);
      return true;
    } finally {
      opened.release();
    }
  }

  #open(path: FilePath, content: OpenContent, { fd, disk }: NonNullable<OpenContent['whole']>): void {
    const { file, ext } = path;
    if (this.#server.has('file', `${file}.${ext}`)) return;
    const { sizeBytes } = content;
    const heads = fileHeads(path, content, this.#options.name);
    this.#server.open({ file, ext, fd, sizeBytes, etag: etagOf(path), heads, disk });
  }

  #adoptSocket({ fd, id }: { fd: number; id: number }, bytes: Buffer): void {
    const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    socket.once('close', () => {
      if (!this.#isDestroyed) this.#server.handedClosed(id);
    });
    this.#node.adopt(socket, { bytes });
  }

  #adoptStream(peer: StreamPeer, bytes: Buffer): void {
    const stream = new NativeStream(this.#server, peer);
    this.#streams.set(peer.id, stream);
    this.#node.adopt(stream, { bytes, isH2: peer.isH2 });
  }

  #fileFailed({ file, ext, errno }: { file: string; ext: string; errno: number }): void {
    const { content, log, records } = this.#options;
    const isCut = errno === 0;
    const code = isCut ? 'FILE_CORRUPT' : 'STORE_UNAVAILABLE';
    this.#failures++;
    this.#server.forgetFile(file);
    records.cut(code);
    log.warn({ file, ext, code, errno }, 'a held file could not be read to its end');
    if (isCut) content.foundCut?.(file);
    else if (isDiskFailure(errno)) content.foundUnreadable?.(file);
  }

  #drain(): void {
    const { records } = this.#options;
    const served = this.#server.drainServed();
    for (let at = 0; at < served.length; at += 3) {
      const file = String(served[at]);
      const play = Number(served[at + 1]);
      const fill = Number(served[at + 2]);
      if (play > 0) records.sent(file, 'play', play);
      if (fill > 0) records.sent(file, 'fill', fill);
    }
    this.#drainRecords();
  }

  #drainRecords(): void {
    const { requestRecords } = this.#options;
    if (requestRecords === undefined) return;
    for (let left = recordsMax; left > 0; left -= 256) {
      const { bytes, withCmcd } = this.#server.drainRecords(this.#recordBytes);
      if (bytes > 0) requestRecords.lines(this.#recordBytes.subarray(0, bytes));
      for (const { line, cmcd } of withCmcd) requestRecords.withCmcd(line, cmcd);
      if (bytes === 0 && withCmcd.length === 0) return;
    }
  }
}

function nativeOptions(options: NativeEngineOptions) {
  const { limits, share, counters, requestRecords, filesMax, readMemoryBytes, name } = options;
  return {
    ...limits,
    ...(share?.capsFd !== undefined && {
      capsFd: share.capsFd,
      worker: share.worker,
      workers: share.workers,
    }),
    turnBytes,
    filesMax,
    grantsMax,
    recordsMax: requestRecords === undefined ? 0 : recordsMax,
    readThreadsPerDisk,
    readMemoryBytes,
    canned: {
      overloaded: problemAnswer(overloaded()),
      draining: problemAnswer(draining()),
      timeout: problemAnswer(coded('REQUEST_TIMEOUT')),
    },
    timing: timingParts(name),
    counters,
  };
}

/** The timing headers as lines, cut where their number stands. */
function timingParts(box: string): [string, string, string] {
  const number = 7_654_321;
  const text = Object.entries(timingHeaders({ box, delayMs: number }, 'hit'))
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const [before = '', between = '', after = ''] = text.split(String(number));
  return [before, between, after];
}

const etagNever = '"never"';

/** The header lines before content-range and content-length, by the same plan that the TypeScript engine follows. */
function fileHeads(path: FilePath, { sizeBytes, lastModifiedMs }: OpenContent, box: string) {
  const plan = (headers: { range?: string; ifNoneMatch?: string }) =>
    planResponse(
      { ...headers, head: false },
      { path, sizeBytes, lastModifiedMs, cache: 'hit' },
      { box, delayMs: 0 },
    );
  return {
    whole: lines(plan({})),
    part: sizeBytes === 0 ? Buffer.alloc(0) : lines(plan({ range: 'bytes=0-0', ifNoneMatch: etagNever })),
    notModified: lines(plan({ ifNoneMatch: etagOf(path) })),
  };
}

const ofTheRequest = new Set(['content-range', 'content-length', 'cmsd-dynamic', 'server-timing']);

function lines({ headers }: ResponsePlan): Buffer {
  const kept = Object.entries(headers).filter(([name]) => !ofTheRequest.has(name));
  return Buffer.from(kept.map(([name, value]) => `${name}: ${value}\r\n`).join(''), 'latin1');
}
