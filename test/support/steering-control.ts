import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { documentTypes, type Keyset, type SteeringMap } from '../../common/contract/documents.ts';
import type { AccessRole, EnrolRequest } from '../../common/contract/credentials.ts';
import type { PublicJwk } from '../../common/contract/primitives.ts';
import { mintDeliveryToken, type DeliveryClaims } from '../../common/core/tokens/delivery-token.ts';
import { signAccessToken } from '../../common/runtime/access-tokens.ts';
import { createSystemChance } from '../../common/runtime/chance.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { makeEnrolmentCode } from '../../common/runtime/enrolment-code.ts';
import { generateKey, type SigningKey } from '../../common/runtime/keys.ts';
import { packRouteTable } from '../../common/runtime/route-table-packing.ts';
import { signDocument } from '../../common/runtime/signed-documents.ts';
import { wireOf, type TestMap } from './steering-maps.ts';

const HOUR_MS = 3_600_000;
const clock = createSystemClock();
const chance = createSystemChance();

/** A peer that enrols one steering node and hands out what a test has signed, as the control plane does. */
export interface SteeringControl {
  readonly url: string;
  readonly code: string;
  /** What it hands out by name: the tables of every map that was signed. */
  readonly tables: Map<string, Uint8Array>;
  /** Proofs with which the map was asked for. */
  readonly authorizations: string[];
  /** The key of the node that has joined; undefined until then. */
  nodeKey(): PublicJwk | undefined;
  signMap(
    body: TestMap,
    sequence: number,
    more?: { audience?: string; lifeMs?: number; key?: SigningKey },
  ): Promise<string>;
  /** The same for a map whose tables the node has already. */
  signBody(body: SteeringMap, sequence: number): Promise<string>;
  /** Hands a document out from now on, to those too who wait. */
  publish(jws: string, sequence: number): void;
  deliveryToken(claims: Partial<DeliveryClaims> & Pick<DeliveryClaims, 'scope'>): string;
  accessToken(role: AccessRole): Promise<string>;
  close(): Promise<void>;
}

export async function startSteeringControl(nodeId = 'steering-1'): Promise<SteeringControl> {
  const root = generateKey();
  const keys = { documents: generateKey(), tokens: generateKey(), access: generateKey() };
  const { code } = makeEnrolmentCode(root.kid, chance);
  const nowMs = clock.nowMs();
  const times = { issuedAtMs: nowMs, notAfterMs: nowMs + HOUR_MS };
  const body: Keyset = {
    keys: Object.entries(keys).map(([use, key]) => ({
      kid: key.kid,
      use: use as keyof typeof keys,
      jwk: key.publicJwk,
      notBeforeMs: nowMs - HOUR_MS,
      notAfterMs: nowMs + 24 * HOUR_MS,
      revoked: false,
    })),
  };
  const keyset = await signDocument(
    documentTypes.keyset,
    { audience: '*', sequence: 1, body, ...times },
    root,
  );

  const tables = new Map<string, Uint8Array>();
  const sendTable = async (name: string, response: ServerResponse): Promise<void> => {
    const bytes = tables.get(name);
    if (bytes === undefined) response.writeHead(404).end();
    else response.end(await packRouteTable(bytes));
  };

  let published: { jws: string; sequence: number } | undefined;
  const waiting = new Set<() => void>();
  const authorizations: string[] = [];
  let nodeKey: PublicJwk | undefined;
  const sendMap = (request: IncomingMessage, response: ServerResponse): void => {
    authorizations.push(request.headers.authorization ?? '');
    const query = new URL(request.url ?? '/', 'http://x').searchParams;
    const answer = (): boolean => {
      const isNewer = published !== undefined && published.sequence !== Number(query.get('after'));
      if (isNewer) response.writeHead(200, { 'content-type': 'application/jose' }).end(published?.jws);
      return isNewer;
    };
    if (answer()) return;
    const wake = (): void => {
      if (answer()) waiting.delete(wake);
    };
    if (query.get('waitMs') === '0') response.writeHead(204).end();
    else waiting.add(wake);
  };
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0];
    if (path === '/v1/keyset') response.end(keyset);
    else if (path === '/v1/steering-map') sendMap(request, response);
    else if (path?.match(/^\/v1\/(route-tables|holdings)\//))
      void sendTable(path.split('/').at(-1) ?? '', response);
    else if (path === '/v1/enrol') {
      const reply = { nodeId, role: 'steering', rootJwk: root.publicJwk, keyset };
      let text = '';
      request.setEncoding('utf8').on('data', (part: string) => (text += part));
      request.on('end', () => {
        nodeKey = (JSON.parse(text) as EnrolRequest).publicJwk;
        response.setHeader('content-type', 'application/json').end(JSON.stringify(reply));
      });
    } else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const sign = (
    map: SteeringMap,
    sequence: number,
    {
      audience = 'steering',
      lifeMs = HOUR_MS,
      key = keys.documents,
    }: { audience?: string; lifeMs?: number; key?: SigningKey } = {},
  ): Promise<string> => {
    const issuedAtMs = clock.nowMs() - 1_000;
    const document = { audience, sequence, issuedAtMs, notAfterMs: issuedAtMs + lifeMs, body: map };
    return signDocument(documentTypes.steeringMap, document, key);
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    code,
    tables,
    authorizations,
    nodeKey: () => nodeKey,
    signMap: (map, sequence, more) => {
      const wire = wireOf(map);
      for (const [name, bytes] of wire.tables) tables.set(name, bytes);
      return sign(wire.body, sequence, more);
    },
    signBody: sign,
    publish(jws, sequence) {
      published = { jws, sequence };
      for (const wake of [...waiting]) wake();
    },
    deliveryToken: (claims) => {
      const nowS = Math.floor(clock.nowMs() / 1000);
      const times = { issuedAtS: nowS - 10, expiresAtS: nowS + 3600, session: 'ab'.repeat(16) };
      const signer = { kid: keys.tokens.kid, key: keys.tokens.privateKey };
      return mintDeliveryToken({ ...times, ...claims }, signer);
    },
    accessToken: async (role) => {
      const { token } = await signAccessToken(
        { sub: 'test', role, ttlS: 3600 },
        { key: keys.access, clock, chance },
      );
      return token;
    },
    async close() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
