import { readFileSync, statSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { t, type Test } from 'tap';
import { EnrolRequest } from '../../../common/contract/credentials.ts';
import { documentTypes } from '../../../common/contract/documents.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { makeEnrolmentCode, verifyEnrolRequest } from '../../../common/runtime/enrolment-code.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createHttpServer } from '../../../common/runtime/http-server.ts';
import { identityComponent, openIdentity, type IdentityOptions } from '../../../common/runtime/identity.ts';
import { generateKey, importPublicJwk, thumbprint, type SigningKey } from '../../../common/runtime/keys.ts';
import { createLifecycle } from '../../../common/runtime/lifecycle.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';
import { createProofVerifier, type KnownNode } from '../../../common/runtime/node-proofs.ts';
import { signDocument } from '../../../common/runtime/signed-documents.ts';

const clock = createSystemClock();
const chance = createSystemChance();
const log = createSilentLog();

function signKeyset(root: SigningKey, key: SigningKey, sequence: number): Promise<string> {
  const nowMs = clock.nowMs();
  const times = { notBeforeMs: nowMs - 1000, notAfterMs: nowMs + 3_600_000 };
  const body = { keys: [{ kid: key.kid, use: 'documents', jwk: key.publicJwk, revoked: false, ...times }] };
  const payload = { audience: '*', sequence, issuedAtMs: nowMs, notAfterMs: nowMs + 3_600_000, body };
  return signDocument(documentTypes.keyset, payload, root);
}

/** The few routes of a control plane that an identity needs, over the real server. */
async function startControl(t: Test, { answerRoot }: { answerRoot?: SigningKey } = {}) {
  const root = generateKey();
  const key = generateKey();
  const nodes = new Map<string, KnownNode>();
  let keyset = await signKeyset(root, key, 1);
  let enrolments = 0;
  let refuse: 'ENROLMENT_CODE_USED' | 'NAME_TAKEN' | undefined;
  const server = await createHttpServer({
    name: 'control-plane',
    version: '0',
    log,
    metrics: createMetrics({ name: 'control-plane', version: '0' }),
    credentials: {
      node: createProofVerifier({ audience: 'control-plane', clock, findNode: (kid) => nodes.get(kid) }),
    },
  });
  const open = { credential: ['none'] } as const;
  server.app.post('/v1/enrol', { config: open, schema: { body: EnrolRequest } }, async (request) => {
    enrolments++;
    if (refuse !== undefined) throw coded(refuse);
    await verifyEnrolRequest(request.body);
    const { publicJwk } = request.body;
    const known = { nodeId: 'isp-a-1', role: 'appliance', revoked: false } as const;
    nodes.set(thumbprint(publicJwk), { ...known, publicKey: importPublicJwk(publicJwk) });
    const { nodeId, role } = known;
    return { nodeId, role, site: 'isp-a', cluster: 'isp-a', rootJwk: (answerRoot ?? root).publicJwk, keyset };
  });
  server.app.get('/v1/keyset', { config: open }, () => keyset);
  server.app.get('/v1/whoami', { config: { credential: ['node:appliance'] } }, (request) => request.caller);
  const controlUrl = await server.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => server.stop());
  return {
    server,
    root,
    key,
    controlUrl,
    code: () => makeEnrolmentCode(root.kid, chance).code,
    enrolments: () => enrolments,
    refuseWith: (code: typeof refuse) => (refuse = code),
    rotate: async () => {
      const next = generateKey();
      keyset = await signKeyset(root, next, 2);
      return next;
    },
  };
}

function optionsFor(t: Test, controlUrl: string, extra: Partial<IdentityOptions> = {}): IdentityOptions {
  return {
    dataDir: t.testdir(),
    role: 'appliance',
    controlUrl,
    clock,
    chance,
    log,
    enrolWaitMs: 0,
    ...extra,
  };
}

t.test(
  'enrols once, proves itself on each call, and opens from disk when the control plane is gone',
  async (t) => {
    const control = await startControl(t);
    const options = optionsFor(t, control.controlUrl, { code: control.code() });
    const identity = await openIdentity(options);
    t.match(identity, { nodeId: 'isp-a-1', role: 'appliance', site: 'isp-a', cluster: 'isp-a' });
    t.ok(identity.keyring.find(control.key.kid, 'documents'));
    const path = join(options.dataDir, 'identity.json');
    t.equal(statSync(path).mode & 0o777, 0o600);
    t.notOk(existsSync(join(options.dataDir, 'identity.pending.key')));
    const { value } = await identity.control.text({ method: 'GET', path: '/v1/whoami', query: { a: 1 } });
    t.same(JSON.parse(value), { kind: 'node', nodeId: 'isp-a-1', role: 'appliance' });
    const next = await control.rotate();
    t.equal(await identity.refreshKeyset(), true);
    t.equal(await identity.refreshKeyset(), false);
    t.match(readFileSync(path, 'utf8'), identity.keyring.signed());
    await identity.control.close();
    await control.server.stop();
    const again = await openIdentity({ ...options, code: undefined });
    t.equal(again.key.kid, identity.key.kid);
    t.ok(again.keyring.find(next.kid, 'documents'));
    await t.rejects(again.refreshKeyset(), { code: 'CONTROL_UNREACHABLE' });
    await again.control.close();
    await t.rejects(openIdentity({ ...options, role: 'steering' }), {
      code: 'CONFIG_INVALID',
      message: /role appliance/,
    });
  },
);

t.test('each way that enrolling fails has its code', async (t) => {
  const control = await startControl(t);
  const options = optionsFor(t, control.controlUrl);
  await t.rejects(openIdentity(options), {
    code: 'CONFIG_INVALID',
    message: /holds no identity; make an enrolment code/,
  });
  await t.rejects(openIdentity({ ...options, code: 'nc1.x.y' }), { code: 'ENROLMENT_CODE_INVALID' });
  const foreign = makeEnrolmentCode(generateKey().kid, chance).code;
  await t.rejects(openIdentity({ ...options, code: foreign }), { code: 'WRONG_CONTROL_PLANE' });
  t.equal(control.enrolments(), 0, 'another control plane is not shown the secret');
  await t.rejects(openIdentity({ ...options, role: 'encoder', code: control.code() }), {
    code: 'CONFIG_INVALID',
    message: /the code is for a node of role appliance/,
  });
  for (const code of ['ENROLMENT_CODE_USED', 'NAME_TAKEN'] as const) {
    control.refuseWith(code);
    await t.rejects(openIdentity({ ...options, code: control.code() }), { code });
  }
  await t.rejects(openIdentity({ ...options, controlUrl: 'http://127.0.0.1:1', code: control.code() }), {
    code: 'CONTROL_UNREACHABLE',
  });
  t.notOk(existsSync(join(options.dataDir, 'identity.json')), 'nothing half-enrolled');
});

t.test('a reply with another root is refused', async (t) => {
  const impostor = generateKey();
  const control = await startControl(t, { answerRoot: impostor });
  const code = control.code();
  await t.rejects(openIdentity(optionsFor(t, control.controlUrl, { code })), { code: 'WRONG_CONTROL_PLANE' });
});

t.test('the component keeps the keyset fresh', async (t) => {
  const control = await startControl(t);
  const identity = await openIdentity(optionsFor(t, control.controlUrl, { code: control.code() }));
  const changed = Promise.withResolvers<undefined>();
  const onChange = () => {
    changed.resolve(undefined);
  };
  const component = identityComponent(identity, { clock, chance, log, everyMs: 20, onChange });
  const lifecycle = createLifecycle({ components: [component], log, clock });
  await lifecycle.start();
  const next = await control.rotate();
  await changed.promise;
  t.ok(identity.keyring.find(next.kid, 'documents'));
  await lifecycle.stop();
});
