import { lookup } from 'node:dns/promises';
import { closeSync } from 'node:fs';
import { BoundSocket, isIP, Socket } from 'node:net';

import { parseFilePath, type FilePath } from '../../common/core/file-path.ts';
import { coded, toCoded } from '../../common/runtime/errors.ts';
import { listenFailed } from '../../common/runtime/listen.ts';
import { admitUnder, calmLoad, type Admission, type LoadJudgement } from '../core/judge-load.ts';
import { etagOf } from '../core/respond.ts';
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
import {
  connectionCountBytes,
  servedScopes,
  type NativeAddon,
  type NativeServer,
  type Parked,
  type StreamPeer,
} from './native-addon.ts';
import { counterLayout, counterSlots, latencyBoundsUs, type CounterName } from './native-counters.ts';
import { fileHeads, prefixBytes, timingParts } from './native-forms.ts';
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

const turnBytes = 2 * 2 ** 20;
const grantsMax = 65_536;
const recordsMax = 16_384;
const readThreadsPerDisk = 8;
const tickEveryMs = 250;
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
  readonly #timer: NodeJS.Timeout;
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
    this.#server = options.addon.createServer({
      ...nativeOptions(options),
      park: (parked) => {
        void this.#decide(parked);
      },
      handOver: (fd, id, bytes) => {
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
      fileFailed: (file, ext, errno) => {
        this.#fileFailed({ file, ext, errno });
      },
      recordsWaiting: () => {
        this.#drainRecords();
      },
    });
    this.#timer = setInterval(() => {
      this.#server.tick();
      this.#drain();
    }, tickEveryMs);
    this.#timer.unref();
  }

  async listen(at: EngineAddress | InheritedSocket): Promise<EngineAddress> {
    // The addon has its own; with another one open, nobody would be refused once the addon has let go of it.
    if ('fd' in at) {
      try {
        return this.#listenOn(at.fd);
      } finally {
        closeSync(at.fd);
      }
    }
    try {
      const host = isIP(at.host) === 0 ? (await lookup(at.host)).address : at.host;
      const socket = new BoundSocket({ host, port: at.port });
      try {
        return this.#listenOn(socket.fd());
      } finally {
        socket.close();
      }
    } catch (error) {
      throw listenFailed(error, at);
    }
  }

  #listenOn(fd: number): EngineAddress {
    const [host, port] = this.#server.listen(fd);
    return { host, port };
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
      sentBytes: this.#count('bytesSent') + behind.sentBytes,
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
    this.#server.setTls({ certificates: [], h2: false, ...tls, ticketKeys: this.#ticketKeys });
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
    clearInterval(this.#timer);
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

  async #decide([id, token, file, ext, client]: Parked): Promise<void> {
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
        ...(clients !== undefined && { clients: clients.map(prefixBytes) }),
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
    this.#server.open({ file, ext, fd, sizeBytes, etag: etagOf(path), disk, ...heads });
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
    const [id, , , , isH2] = peer;
    this.#streams.set(id, stream);
    this.#node.adopt(stream, { bytes, isH2 });
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
    for (let at = 0; at < served.length; at += 1 + servedScopes.length) {
      const file = String(served[at]);
      servedScopes.forEach((scope, index) => {
        const bytes = Number(served[at + 1 + index]);
        if (bytes > 0) records.sent(file, scope, bytes);
      });
    }
    this.#drainRecords();
  }

  #drainRecords(): void {
    const { requestRecords } = this.#options;
    if (requestRecords === undefined) return;
    for (let left = recordsMax; left > 0; left -= 256) {
      const [bytes, ...withCmcd] = this.#server.drainRecords(this.#recordBytes);
      if (bytes > 0) requestRecords.lines(this.#recordBytes.subarray(0, bytes));
      for (let at = 0; at < withCmcd.length; at += 2)
        requestRecords.withCmcd(withCmcd[at] ?? '', withCmcd[at + 1] ?? '');
      if (bytes === 0 && withCmcd.length === 0) return;
    }
  }
}

function nativeOptions(options: NativeEngineOptions) {
  const { addon, limits, share, counters, requestRecords, filesMax, readMemoryBytes, name } = options;
  return {
    ...limits,
    ...(share?.capsFd === undefined
      ? { connectionCounts: Buffer.alloc(connectionCountBytes), worker: 0 }
      : {
          connectionCounts: addon.mapShared({
            fd: share.capsFd,
            bytes: connectionCountBytes * share.workers,
          }),
          worker: share.worker,
        }),
    turnBytes,
    filesMax,
    grantsMax,
    recordsMax: requestRecords === undefined ? 0 : recordsMax,
    readThreadsPerDisk,
    readMemoryBytes,
    refusals: [
      problemAnswer(coded('REQUEST_TIMEOUT')),
      problemAnswer(overloaded()),
      problemAnswer(draining()),
    ] as const,
    timing: timingParts(name),
    counters,
  };
}
