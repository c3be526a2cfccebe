import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { request as undiciRequest } from 'undici';
import type { Static, TSchema } from '../../../common/contract/type.ts';
import { EnrolmentCodeReply, EnrolReply } from '../../../common/contract/credentials.ts';
import type { DocumentPayload, DocumentType } from '../../../common/contract/documents.ts';
import type { Heartbeat } from '../../../common/contract/nodes.ts';
import { PublicJwk, type NodeRole } from '../../../common/contract/primitives.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock, type Clock } from '../../../common/runtime/clock.ts';
import { makeEnrolRequest, parseEnrolmentCode } from '../../../common/runtime/enrolment-code.ts';
import { generateKey, loadKey, type SigningKey } from '../../../common/runtime/keys.ts';
import { createKeyring } from '../../../common/runtime/keyring.ts';
import { createLifecycle } from '../../../common/runtime/lifecycle.ts';
import { createSilentLog, type Log } from '../../../common/runtime/log.ts';
import { signNodeProof } from '../../../common/runtime/node-proofs.ts';
import { parseAs, parseJsonAs } from '../../../common/runtime/parse.ts';
import { openDocument } from '../../../common/runtime/signed-documents.ts';
import { readConfig } from '../../../control-plane/config.ts';
import { openControlPlane, type ControlPlane } from '../../../control-plane/main.ts';
import { signServedReport } from '../../support/served-report.ts';

const chance = createSystemChance();

/** One answer of the control plane. `json` is undefined where the body is none. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  text: string;
  json: unknown;
  /** The body as the contract's type; throws where it is not of it. */
  as<T extends TSchema>(schema: T): Static<T>;
}

export interface CallOptions {
  token?: string | undefined;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface TestPlane {
  url: string;
  dataDir: string;
  operator: string;
  firstAdminCode: string | undefined;
  routes: readonly string[];
  clock: Clock;
  /** Calls as the operator unless another token is given; `token: ''` for none. */
  call(route: `${string} /${string}`, options?: CallOptions): Promise<Answer>;
  stop(): Promise<void>;
}

export interface PlaneOptions {
  dataDir?: string;
  clock?: Clock;
  flags?: readonly string[];
  /** What it logs to; nothing hears it where none is given. */
  log?: Log;
}

interface ControlPlaneOptions extends PlaneOptions {
  dataDir: string;
  clock: Clock;
}

/** A new directory that goes with the test. */
export async function temporaryDir(t: Pick<Test, 'teardown'>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'nearcast-test-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Starts a real control plane on a free port: real HTTP, real SQLite; stopped with the test. */
export async function startPlane(t: Pick<Test, 'teardown'>, options: PlaneOptions = {}): Promise<TestPlane> {
  const dataDir = options.dataDir ?? (await temporaryDir(t));
  const clock = options.clock ?? createSystemClock();
  const { plane, stop } = await startControlPlane(t, { ...options, dataDir, clock });
  const operator = (await readFile(join(dataDir, 'operator.token'), 'utf8')).trim();
  const url = plane.url();
  return {
    ...{ url, dataDir, operator, clock, stop, routes: plane.routes, firstAdminCode: plane.firstAdminCode },
    call: (route, { token = operator, ...rest } = {}) => callPlane(url, route, { token, ...rest }),
  };
}

/** Starts what one process of a control plane runs. */
export async function startControlPlane(
  t: Pick<Test, 'teardown'>,
  { dataDir, clock, flags = [], log = createSilentLog() }: ControlPlaneOptions,
): Promise<{ plane: ControlPlane; stop: () => Promise<void> }> {
  const config = readConfig(['--data-dir', dataDir, '--port', '0', ...flags], {});
  const plane = await openControlPlane({ config, clock, chance, log });
  const lifecycle = createLifecycle({ components: plane.components, log, clock });
  await lifecycle.start();
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= lifecycle.stop().then(() => plane.close()));
  t.teardown(stop);
  return { plane, stop };
}

/** Calls a control plane wherever it runs; without a token as nobody. */
export async function callPlane(
  url: string,
  route: string,
  { token, body, headers = {} }: CallOptions,
): Promise<Answer> {
  const [method = 'GET', path = '/'] = route.split(' ', 2);
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
  const reply = await undiciRequest(url + path, {
    method: method as 'GET',
    headers: {
      ...(token !== undefined && token !== '' && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: isRaw ? body : JSON.stringify(body) }),
  });
  const bytes = Buffer.from(await reply.body.arrayBuffer());
  const text = bytes.toString('utf8');
  const isJson = String(reply.headers['content-type']).includes('json') && text !== '';
  const json: unknown = isJson ? JSON.parse(text) : undefined;
  return {
    ...{ status: reply.statusCode, headers: reply.headers, bytes, text, json },
    as: (schema) =>
      parseAs(schema, json, { what: `${route} (${String(reply.statusCode)}: ${text.slice(0, 300)})` }),
  };
}

type BeatFields = Partial<Omit<Heartbeat, 'routes'>> & { routes?: Heartbeat['routes'] | undefined };

/** An enrolled node of a test. */
export interface TestNode {
  id: string;
  key: SigningKey;
  reply: EnrolReply;
  /** A proof for one call. */
  proof(route: `${string} /${string}`): Promise<string>;
  call(route: `${string} /${string}`, options?: Omit<CallOptions, 'token'>): Promise<Answer>;
  /** Reports; fields not given are a healthy box's. With `routes: undefined` it tells none, as boxes do that tell them apart. */
  beat(fields?: BeatFields): Promise<Answer>;
  /** Tells what it has served since its last report. */
  serve(
    played: Readonly<Record<string, number>>,
    more?: { filledBytes?: number; sequence?: number },
  ): Promise<Answer>;
}

export interface NodeOptions {
  role?: NodeRole;
  site?: string;
  cluster?: string;
  key?: SigningKey;
}

/** Makes a code and enrols a node with it. */
export async function enrolNode(
  plane: TestPlane,
  name: string,
  options: NodeOptions = {},
): Promise<TestNode> {
  const { role = 'appliance', key = generateKey(), site, cluster } = options;
  const body = { role, name, ...(site && { site }), ...(cluster && { cluster }) };
  const code = await plane.call('POST /v1/enrolment-codes', { body });
  const { secret } = parseEnrolmentCode(code.as(EnrolmentCodeReply).code);
  const enrolled = await plane.call('POST /v1/enrol', {
    token: '',
    body: await makeEnrolRequest(secret, key),
  });
  return testNode(plane, { id: name, key, reply: enrolled.as(EnrolReply) });
}

/** A node that speaks with a key, enrolled or not. */
export function testNode(
  plane: TestPlane,
  who: { id: string; key: SigningKey; reply: EnrolReply },
): TestNode {
  const { id, key } = who;
  const { clock } = plane;
  let sequence = 0;
  let reports = 0;
  const proof = (route: string): Promise<string> => {
    const [method = '', url = ''] = route.split(' ', 2);
    const [path = ''] = url.split('?', 1);
    return signNodeProof({ nodeId: id, audience: 'control-plane', method, path }, { key, clock, chance });
  };
  const callNode: TestNode['call'] = async (route, options = {}) =>
    plane.call(route, { ...options, token: await proof(route) });
  const incarnation = `inc-${id}-${chance.bytes(6).toString('hex')}`;
  return {
    ...who,
    proof,
    call: callNode,
    beat: (fields = {}) => {
      sequence++;
      const body = { ...healthy(id, clock), incarnation, sequence, ...fields };
      if (sequence > 1 && fields.holdings === undefined)
        body.holdings = { full: false, added: [], removed: [] };
      return callNode(`PUT /v1/nodes/${id}/heartbeat`, { body });
    },
    serve: async (played, more = {}) => {
      reports = more.sequence ?? reports + 1;
      const jws = await signServedReport(key, { played, nowMs: clock.nowMs(), ...more, sequence: reports });
      return callNode(`POST /v1/nodes/${id}/served-reports`, { body: { jws } });
    },
  };
}

function healthy(id: string, clock: Clock): Omit<Heartbeat, 'sequence' | 'incarnation'> {
  return {
    sentAtMs: clock.nowMs(),
    state: 'ready',
    url: `http://${id}.test:8080`,
    addresses: ['127.0.1.1'],
    routes: [{ prefix: '198.51.100.0/24', asPathLength: 0, class: 'embedded' }],
    capacityBytes: 10_000_000,
    usedBytes: 0,
    headroom: 1,
    liveRequests: 0,
    holdings: { full: true, added: [], removed: [] },
    fillManifestSequence: 0,
    revocationsSequence: 0,
    reasons: [],
  };
}

/** Asks again until the answer is the wanted one: what follows a change follows it soon, not at once. */
export async function eventually<T>(ask: () => Promise<T>, isWanted: (value: T) => boolean): Promise<T> {
  const endMs = performance.now() + 5000;
  for (;;) {
    const value = await ask();
    if (isWanted(value) || performance.now() > endMs) return value;
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

/** The key that signs a plane's delivery tokens. */
export async function tokenKey({ dataDir }: TestPlane): Promise<SigningKey> {
  const names = await readdir(join(dataDir, 'keys'));
  const name = names.find((one) => one.startsWith('tokens-')) ?? 'none';
  const key = await loadKey(join(dataDir, 'keys', name));
  if (key === undefined) throw new Error('the plane has no key of tokens');
  return key;
}

/** The body of a signed document, its signature checked against the plane's keyset. */
export async function openSigned<T extends TSchema>(
  plane: TestPlane,
  jws: string,
  { typ, schema, audience }: { typ: DocumentType; schema: T; audience: string },
): Promise<DocumentPayload<Static<T>>> {
  const root = parseJsonAs(PublicJwk, await readFile(join(plane.dataDir, 'keys', 'root.json'), 'utf8'), {
    what: 'root.json',
  });
  const keyring = createKeyring({ rootJwk: root, clock: plane.clock });
  await keyring.take((await plane.call('GET /v1/keyset', { token: '' })).text);
  const findKey = (kid: string) => keyring.find(kid, 'documents');
  return openDocument(jws, { typ, schema, audience, findKey, sequenceMin: 0, nowMs: plane.clock.nowMs() });
}
