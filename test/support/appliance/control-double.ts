import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { EnrolRequest } from '../../../common/contract/credentials.ts';
import {
  documentTypes,
  type DocumentPayload,
  type FillManifest,
  type Keyset,
  type KeyUse,
  type Revocations,
  type Route,
} from '../../../common/contract/documents.ts';
import { FillReport, type FillOutcome, type FillSourcesReply } from '../../../common/contract/fill.ts';
import { Heartbeat } from '../../../common/contract/nodes.ts';
import type { NodeRole } from '../../../common/contract/primitives.ts';
import { servedReportAudience, ServedReport, ServedReportRequest } from '../../../common/contract/served.ts';
import { decodeRouteTable } from '../../../common/core/route-table-codec.ts';
import {
  applyRouteTableDelta,
  nameRouteTable,
  type NamedRouteTable,
} from '../../../common/core/route-table-delta.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { makeEnrolmentCode, verifyEnrolRequest } from '../../../common/runtime/enrolment-code.ts';
import { generateKey, importPublicJwk, type SigningKey } from '../../../common/runtime/keys.ts';
import { createProofVerifier, type KnownNode } from '../../../common/runtime/node-proofs.ts';
import { coded, isCoded, valueOf } from '../../../common/runtime/errors.ts';
import { parseJsonAs } from '../../../common/runtime/parse.ts';
import { unpackRouteTable } from '../../../common/runtime/route-table-packing.ts';
import { openDocument, signDocument } from '../../../common/runtime/signed-documents.ts';
import { listRoutes } from '../../../control-plane/core/route-rows.ts';

type Ways = FillSourcesReply['sources'][number]['ways'];

/**
 * The control plane as an appliance sees it: real signatures, real proofs of the node, real long polls. What it answers is
 * what the test puts into it.
 */
export class ControlDouble {
  readonly root = generateKey();
  readonly keys: Record<KeyUse, SigningKey> = {
    documents: generateKey(),
    tokens: generateKey(),
    access: generateKey(),
  };
  readonly heartbeats: Heartbeat[] = [];
  readonly outcomes: FillOutcome[] = [];
  /** Served reports in the order of their coming, repeated ones too. */
  readonly served: { nodeId: string; report: DocumentPayload<ServedReport> }[] = [];
  /** The routes that each node told last. */
  readonly routeTables = new Map<string, NamedRouteTable>();
  /** How each of them came. */
  readonly routeCalls: ('full' | 'delta')[] = [];
  /** Takes served reports, but its answers to those that tell of files are lost. */
  losesServedReplies = false;
  /** What is asked for ways: file → ways; every file has `waysOfAll` besides. */
  readonly ways = new Map<string, Ways>();
  waysOfAll: Ways = [];
  drainWanted = false;
  /** Refuses everything while set, as a control plane that is ill. */
  isIll = false;
  /** Calls that were refused for that. */
  illAnswers = 0;
  clockOffsetMs = 0;
  keysetSequence = 1;
  url = '';
  readonly #nodes = new Map<string, KnownNode>();
  readonly #codes = new Map<string, { role: NodeRole; nodeId: string }>();
  readonly #documents = new Map<string, { sequence: number; jws: string }>();
  readonly #waiting = new Set<() => void>();
  #server: ReturnType<typeof createServer> | undefined;
  #port = 0;

  readonly #verify = createProofVerifier({
    audience: 'control-plane',
    clock: createSystemClock(),
    findNode: (kid) => this.#nodes.get(kid),
  });

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(JSON.stringify({ detail: String(error) }));
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.#port}`;
  }

  /** Goes away; `start` brings it back at the same address. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.#wake();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** A code for a node of this name. */
  code(nodeId: string, role: NodeRole = 'appliance'): string {
    const { code } = makeEnrolmentCode(this.root.kid, createSystemChance());
    this.#codes.set(code.split('.')[1] ?? '', { role, nodeId });
    return code;
  }

  async setManifest(nodeId: string, sequence: number, body: Partial<FillManifest>): Promise<void> {
    const manifest = { appliance: nodeId, files: [], roster: [], ...body };
    this.putDocument(
      `/v1/nodes/${nodeId}/fill-manifest`,
      sequence,
      await this.sign(documentTypes.fillManifest, nodeId, { sequence, body: manifest }),
    );
  }

  async setRevocations(sequence: number, body: Partial<Revocations>): Promise<void> {
    const revocations = { sessions: [], bundles: [], ...body };
    this.putDocument(
      '/v1/revocations',
      sequence,
      await this.sign(documentTypes.revocations, '*', { sequence, body: revocations }),
    );
  }

  /** Signs any document; by the documents key unless another is given. */
  sign(
    typ: (typeof documentTypes)[keyof typeof documentTypes],
    audience: string,
    content: { sequence: number; body: unknown; key?: SigningKey; notAfterMs?: number },
  ): Promise<string> {
    const issuedAtMs = Date.now() - 1000;
    const { sequence, body, notAfterMs = Date.now() + 3_600_000 } = content;
    const times = { issuedAtMs: Math.min(issuedAtMs, notAfterMs - 1), notAfterMs };
    return signDocument(typ, { audience, sequence, ...times, body }, content.key ?? this.keys.documents);
  }

  /** Puts a document in place as it is, good or bad, and wakes those who wait. */
  putDocument(path: string, sequence: number, jws: string): void {
    this.#documents.set(path, { sequence, jws });
    this.#wake();
  }

  /** The last heartbeat of a node. */
  last(url?: string): Heartbeat | undefined {
    return this.heartbeats.findLast((heartbeat) => url === undefined || heartbeat.url === url);
  }

  keyset(): Promise<string> {
    const life = { notBeforeMs: 0, notAfterMs: Date.now() + 86_400_000, revoked: false };
    const keys: Keyset['keys'] = Object.entries(this.keys).map(([use, { kid, publicJwk }]) => ({
      kid,
      use: use as KeyUse,
      jwk: publicJwk,
      ...life,
    }));
    return this.sign(documentTypes.keyset, '*', {
      sequence: this.keysetSequence,
      body: { keys },
      key: this.root,
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', this.url);
    const send = (status: number, body?: unknown): void => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(body === undefined ? undefined : text);
    };
    const bytes = await bodyOf(request);
    const text = bytes.toString('utf8');
    if (this.isIll) {
      this.illAnswers++;
      send(503, {});
      return;
    }
    if (pathname === '/v1/keyset') {
      send(200, await this.keyset());
      return;
    }
    if (pathname === '/v1/enrol') {
      send(200, await this.#enrol(parseJsonAs(EnrolRequest, text, { what: 'enrol' })));
      return;
    }
    const proof = request.headers.authorization?.slice('Bearer '.length) ?? '';
    await this.#verify(proof, { method: request.method ?? '', path: pathname });
    if (pathname.endsWith('/heartbeat')) {
      const nodeId = pathname.split('/')[3] ?? '';
      send(200, this.#heartbeat(nodeId, parseJsonAs(Heartbeat, text, { what: 'heartbeat' })));
    } else if (pathname.endsWith('/route-table')) {
      await this.#takeRoutes(
        pathname.split('/')[3] ?? '',
        { bytes, isDelta: request.method === 'PATCH' },
        send,
      );
    } else if (pathname.endsWith('/fill-sources')) {
      const { files } = JSON.parse(text) as { files: string[] };
      const sources = files.map((file) => ({
        file,
        ways: [...(this.ways.get(file) ?? []), ...this.waysOfAll],
      }));
      send(200, { sources });
    } else if (pathname.endsWith('/fill-reports')) {
      this.outcomes.push(...parseJsonAs(FillReport, text, { what: 'report' }).outcomes);
      send(204);
    } else if (pathname.endsWith('/served-reports')) {
      const { sequence, body } = await this.#takeServed(
        pathname,
        parseJsonAs(ServedReportRequest, text, { what: 'served' }),
      );
      if (this.losesServedReplies && body.files.length > 0) request.socket.destroy();
      else send(200, { outcome: 'taken', sequence });
    } else {
      await this.#poll(
        { pathname, after: Number(searchParams.get('after')), waitMs: Number(searchParams.get('waitMs')) },
        send,
      );
    }
  }

  async #enrol(request: EnrolRequest) {
    await verifyEnrolRequest(request);
    const known = this.#codes.get(request.secret);
    if (known === undefined) throw new Error('no such code');
    const publicKey = importPublicJwk(request.publicJwk);
    const { thumbprint } = await import('../../../common/runtime/keys.ts');
    this.#nodes.set(thumbprint(request.publicJwk), { ...known, publicKey, revoked: false });
    return { ...known, rootJwk: this.root.publicJwk, keyset: await this.keyset() };
  }

  /** Bytes that viewers got, each report counted once. */
  playedBytes(nodeId?: string): number {
    const reports = this.served.filter((each) => nodeId === undefined || each.nodeId === nodeId);
    const once = new Map(reports.map((each) => [`${each.nodeId} ${each.report.sequence}`, each.report.body]));
    return [...once.values()]
      .flatMap(({ files }) => files)
      .reduce((sum, { playBytes }) => sum + playBytes, 0);
  }

  async #takeServed(pathname: string, { jws }: ServedReportRequest): Promise<DocumentPayload<ServedReport>> {
    const nodeId = pathname.split('/')[3] ?? '';
    const report = await openDocument(jws, {
      typ: documentTypes.servedReport,
      schema: ServedReport,
      audience: servedReportAudience,
      sequenceMin: 1,
      nowMs: Date.now(),
      findKey: (kid) => this.#nodes.get(kid)?.publicKey,
    });
    this.served.push({ nodeId, report });
    return report;
  }

  /** The routes of a node as a list. */
  routesOf(nodeId: string): Route[] {
    const told = this.routeTables.get(nodeId);
    return told === undefined ? [] : listRoutes(told.table);
  }

  async #takeRoutes(
    nodeId: string,
    { bytes, isDelta }: { bytes: Buffer; isDelta: boolean },
    send: (status: number, body?: unknown) => void,
  ): Promise<void> {
    const unpacked = await unpackRouteTable(bytes);
    const limits = { routesMax: 2_000_000 };
    this.routeCalls.push(isDelta ? 'delta' : 'full');
    try {
      const base = this.routeTables.get(nodeId);
      if (isDelta && base === undefined) throw coded('ROUTE_TABLE_UNKNOWN');
      const told =
        isDelta && base !== undefined
          ? valueOf(applyRouteTableDelta(base, unpacked, limits))
          : nameRouteTable(valueOf(decodeRouteTable(unpacked, limits)));
      this.routeTables.set(nodeId, told);
      send(200, { name: told.name, routes: this.routesOf(nodeId).length, refused: [] });
    } catch (error) {
      if (!isCoded(error)) throw error;
      const { code, title, status } = error;
      send(status, { type: 'about:blank', title, status, code });
    }
  }

  #heartbeat(nodeId: string, heartbeat: Heartbeat) {
    this.heartbeats.push(heartbeat);
    const told = this.routeTables.get(nodeId);
    const sequenceOf = (end: string): number =>
      this.#documents.entries().find(([path]) => path.endsWith(end))?.[1].sequence ?? 0;
    return {
      leaseMs: 5000,
      nowMs: Date.now() + this.clockOffsetMs,
      fillManifestSequence: sequenceOf('/fill-manifest'),
      revocationsSequence: sequenceOf('/revocations'),
      fullWanted: false,
      drainWanted: this.drainWanted,
      ...(told !== undefined && { routeTable: told.name }),
    };
  }

  async #poll(
    want: { pathname: string; after: number; waitMs: number },
    send: (status: number, body?: unknown) => void,
  ): Promise<void> {
    const endMs = Date.now() + want.waitMs;
    for (;;) {
      const document = this.#documents.get(want.pathname);
      if (document !== undefined && document.sequence > want.after) {
        send(200, document.jws);
        return;
      }
      const leftMs = endMs - Date.now();
      if (leftMs <= 0 || this.#server === undefined) {
        send(204);
        return;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        const wake = (): void => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}
