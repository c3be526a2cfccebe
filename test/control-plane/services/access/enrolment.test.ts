import t from 'tap';
import { AccessTokenReply, EnrolmentCodeReply, EnrolReply } from '../../../../common/contract/credentials.ts';
import { NodeList } from '../../../../common/contract/nodes.ts';
import { createSystemChance } from '../../../../common/runtime/chance.ts';
import { makeEnrolRequest, parseEnrolmentCode } from '../../../../common/runtime/enrolment-code.ts';
import { generateKey, thumbprint } from '../../../../common/runtime/keys.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { signNodeProof } from '../../../../common/runtime/node-proofs.ts';
import { enrolNode, startPlane, testNode, type TestPlane } from '../../support/control-plane.ts';

const hourMs = 3_600_000;

async function newCode(plane: TestPlane, name: string): Promise<{ secret: string; rootKid: string }> {
  const made = await plane.call('POST /v1/enrolment-codes', {
    body: { role: 'appliance', name, site: 'isp-a' },
  });
  return parseEnrolmentCode(made.as(EnrolmentCodeReply).code);
}

t.test('a node enrols with a code, proves itself on each call, and is listed', async (t) => {
  const plane = await startPlane(t);
  const { secret, rootKid } = await newCode(plane, 'isp-a-1');
  const key = generateKey();
  const enrolled = await plane.call('POST /v1/enrol', {
    token: '',
    body: await makeEnrolRequest(secret, key),
  });
  t.equal(enrolled.status, 200);
  t.match(enrolled.json, { nodeId: 'isp-a-1', role: 'appliance', site: 'isp-a', cluster: 'isp-a' });
  t.equal(thumbprint(enrolled.as(EnrolReply).rootJwk), rootKid, 'the code names the root key that answers');
  const node = testNode(plane, { id: 'isp-a-1', key, reply: enrolled.as(EnrolReply) });
  t.equal((await node.beat()).status, 200);
  const { nodes } = (await plane.call('GET /v1/nodes')).as(NodeList);
  t.match(nodes, [{ id: 'isp-a-1', state: 'ready', site: 'isp-a', cluster: 'isp-a' }]);
});

t.test('a lost reply: the same key with the same code gets the same answer', async (t) => {
  const plane = await startPlane(t);
  const { secret } = await newCode(plane, 'isp-a-1');
  const body = await makeEnrolRequest(secret, generateKey());
  const first = await plane.call('POST /v1/enrol', { token: '', body });
  const again = await plane.call('POST /v1/enrol', { token: '', body });
  t.strictSame(again.json, first.json);
});

t.test('wrong, used and expired codes, each with its own code', async (t) => {
  const clock = createManualClock();
  const plane = await startPlane(t, { clock });
  const wrong = await makeEnrolRequest('A'.repeat(32), generateKey());
  t.match(await plane.call('POST /v1/enrol', { token: '', body: wrong }), {
    status: 403,
    json: { code: 'ENROLMENT_CODE_INVALID' },
  });
  const { secret } = await newCode(plane, 'isp-a-1');
  await plane.call('POST /v1/enrol', { token: '', body: await makeEnrolRequest(secret, generateKey()) });
  const second = await makeEnrolRequest(secret, generateKey());
  t.match(await plane.call('POST /v1/enrol', { token: '', body: second }), {
    status: 403,
    json: { code: 'ENROLMENT_CODE_USED' },
  });
  const late = await newCode(plane, 'isp-a-2');
  clock.jumpWall(24 * hourMs);
  t.match(
    await plane.call('POST /v1/enrol', {
      token: '',
      body: await makeEnrolRequest(late.secret, generateKey()),
    }),
    {
      status: 403,
      json: { code: 'ENROLMENT_CODE_EXPIRED' },
    },
  );
});

t.test('two that use one code at the same time: one gets in', async (t) => {
  const plane = await startPlane(t);
  const { secret } = await newCode(plane, 'isp-a-1');
  const answers = await Promise.all(
    Array.from({ length: 5 }, async () =>
      plane.call('POST /v1/enrol', { token: '', body: await makeEnrolRequest(secret, generateKey()) }),
    ),
  );
  const codes = answers.map(({ status, json }) => (status === 200 ? 'in' : (json as { code: string }).code));
  t.strictSame(codes.sort(), [...Array.from({ length: 4 }, () => 'ENROLMENT_CODE_USED'), 'in']);
});

t.test(
  'one node that asks several times at once is enrolled once, and each answer is the same',
  async (t) => {
    const plane = await startPlane(t);
    const { secret } = await newCode(plane, 'isp-a-1');
    const body = await makeEnrolRequest(secret, generateKey());
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => plane.call('POST /v1/enrol', { token: '', body })),
    );
    for (const answer of answers) t.match(answer, { status: 200, json: answers[0]?.json });
  },
);

t.test('two that use codes for one name at the same time: one gets in', async (t) => {
  const plane = await startPlane(t);
  const codes = [await newCode(plane, 'isp-a-1'), await newCode(plane, 'isp-a-1')];
  const bodies = await Promise.all(codes.map(({ secret }) => makeEnrolRequest(secret, generateKey())));
  const answers = await Promise.all(bodies.map((body) => plane.call('POST /v1/enrol', { token: '', body })));
  t.strictSame(answers.map(({ status }) => status).sort(), [200, 409]);
  t.match(answers.find(({ status }) => status === 409)?.json, { code: 'NAME_TAKEN' });
});

t.test('a name that is enrolled is not given again, and is free once its node was revoked', async (t) => {
  const plane = await startPlane(t);
  const { secret } = await newCode(plane, 'isp-a-1');
  const first = await enrolNode(plane, 'isp-a-1');
  t.match(
    await plane.call('POST /v1/enrolment-codes', { body: { role: 'appliance', name: 'isp-a-1' } }),
    { status: 409, json: { code: 'NAME_TAKEN' } },
    'the operator hears it first',
  );
  const thief = await makeEnrolRequest(secret, generateKey());
  t.match(await plane.call('POST /v1/enrol', { token: '', body: thief }), {
    status: 409,
    json: { code: 'NAME_TAKEN' },
  });
  t.equal((await first.beat()).status, 200, 'the first is not disturbed');
  await plane.call('DELETE /v1/nodes/isp-a-1');
  t.equal((await plane.call('POST /v1/enrol', { token: '', body: thief })).status, 200);
  t.match(
    await first.beat(),
    { status: 401, json: { code: 'CREDENTIAL_INVALID' } },
    'the old key is nobody now',
  );
});

t.test('the proof of enrolment must be by the key that is to be enrolled, over this secret', async (t) => {
  const plane = await startPlane(t);
  const { secret } = await newCode(plane, 'isp-a-1');
  const mine = await makeEnrolRequest(secret, generateKey());
  const other = await makeEnrolRequest(secret, generateKey());
  const another = await makeEnrolRequest('B'.repeat(32), generateKey());
  for (const body of [
    { ...mine, proof: other.proof },
    { ...mine, proof: 'e30.e30.AAAA' },
    { ...another, secret },
  ]) {
    t.match(await plane.call('POST /v1/enrol', { token: '', body }), {
      status: 401,
      json: { code: 'CREDENTIAL_INVALID' },
    });
  }
  const offCurve = { ...mine, publicJwk: { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) } };
  t.ok((await plane.call('POST /v1/enrol', { token: '', body: offCurve })).status < 500);
  t.equal(
    (await plane.call('POST /v1/enrol', { token: '', body: mine })).status,
    200,
    'a failed try does not use the code',
  );
});

t.test('forged, replayed, foreign and stale proofs of a node are refused', async (t) => {
  const clock = createManualClock();
  const plane = await startPlane(t, { clock });
  const node = await enrolNode(plane, 'isp-a-1');
  const route = 'GET /v1/revocations' as const;
  const forged = testNode(plane, { id: 'isp-a-1', key: generateKey(), reply: node.reply });
  t.match(await forged.call(route), { status: 401, json: { code: 'CREDENTIAL_INVALID' } });
  const proof = await node.proof(route);
  t.equal((await plane.call(route, { token: proof })).status, 200);
  t.match(
    await plane.call(route, { token: proof }),
    { status: 401, json: { code: 'CREDENTIAL_INVALID' } },
    'replayed',
  );
  const elsewhere = await node.proof('GET /v1/nodes/isp-a-1/fill-manifest');
  t.match(await plane.call(route, { token: elsewhere }), { status: 401 }, 'for another path');
  const steering = {
    nodeId: 'isp-a-1',
    audience: 'steering',
    method: 'GET',
    path: '/v1/revocations',
  } as const;
  const foreign = await signNodeProof(steering, { key: node.key, clock, chance: createSystemChance() });
  t.match(await plane.call(route, { token: foreign }), { status: 401 }, 'for another audience');
  const stale = await node.proof(route);
  clock.jumpWall(120_000);
  t.match(await plane.call(route, { token: stale }), { status: 401 }, 'two minutes old');
});

t.test('a node may not speak for another, nor act in another role', async (t) => {
  const plane = await startPlane(t);
  const one = await enrolNode(plane, 'isp-a-1');
  await enrolNode(plane, 'isp-a-2');
  const steering = await enrolNode(plane, 'steer-1', { role: 'steering' });
  const forbidden = { status: 403, json: { code: 'FORBIDDEN' } };
  t.match(await one.call('GET /v1/nodes/isp-a-2/fill-manifest'), forbidden);
  t.match(await one.call('GET /v1/steering-map'), forbidden);
  t.match(await steering.call('GET /v1/nodes/steer-1/fill-manifest'), forbidden);
  t.match(await one.call('GET /v1/nodes'), forbidden);
});

t.test('a revoked node is shut out at once', async (t) => {
  const plane = await startPlane(t);
  const node = await enrolNode(plane, 'isp-a-1');
  t.equal((await node.beat()).status, 200);
  t.match(await plane.call('DELETE /v1/nodes/isp-a-1'), { status: 200, json: { state: 'revoked' } });
  t.match(await node.beat(), { status: 403, json: { code: 'NODE_REVOKED' } });
  t.match(await plane.call('DELETE /v1/nodes/nobody'), { status: 404, json: { code: 'NODE_UNKNOWN' } });
});

t.test(
  'access tokens: made by operators alone, as long as asked, refused when expired or altered',
  async (t) => {
    const clock = createManualClock();
    const plane = await startPlane(t, { clock });
    const made = await plane.call('POST /v1/access-tokens', {
      body: { role: 'operator', scope: 'nodes:read', sub: 'ada', ttlS: 60 },
    });
    t.equal(made.status, 201);
    const { token, expiresAtMs } = made.as(AccessTokenReply);
    t.equal(expiresAtMs, clock.nowMs() + 60_000);
    t.equal((await plane.call('GET /v1/nodes', { token })).status, 200);
    t.match(
      await plane.call('POST /v1/access-tokens', { token, body: { role: 'viewer', sub: 'eve', ttlS: 60 } }),
      {
        status: 403,
      },
    );
    const [head = '', , signature = ''] = token.split('.');
    const claims = Buffer.from(JSON.stringify({ iss: 'nearcast', role: 'operator' })).toString('base64url');
    t.match(await plane.call('GET /v1/nodes', { token: `${head}.${claims}.${signature}` }), { status: 401 });
    clock.jumpWall(120_000);
    t.match(await plane.call('GET /v1/nodes', { token }), {
      status: 401,
      json: { code: 'CREDENTIAL_EXPIRED' },
    });
  },
);
