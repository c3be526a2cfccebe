import { decodeProtectedHeader } from 'jose';
import t, { type Test } from 'tap';
import { AccessTokenReply } from '../../../../common/contract/credentials.ts';
import { createSystemChance } from '../../../../common/runtime/chance.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { createManualClock, type ManualClock } from '../../../../common/runtime/manual-clock.ts';
import { readConfig } from '../../../../control-plane/config.ts';
import { rotateKeys } from '../../../../control-plane/keys.ts';
import { startPlane, temporaryDir, type TestPlane } from '../../support/control-plane.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

async function published(plane: TestPlane): Promise<string[]> {
  const { keys } = (await plane.call('GET /oauth/jwks', { token: '' })).json as {
    keys: Record<string, string>[];
  };
  for (const key of keys) {
    const { d, use, alg } = key;
    t.strictSame({ d, use, alg }, { d: undefined, use: 'sig', alg: 'ES256' }, 'public halves alone');
  }
  return keys.map(({ kid = '' }) => kid);
}

/** A token with its key's id. */
async function tokenOf(plane: TestPlane, ttlS: number): Promise<{ token: string; kid: string }> {
  const body = { role: 'operator', sub: 'x', ttlS };
  const { token } = (await plane.call('POST /v1/access-tokens', { body })).as(AccessTokenReply);
  return { token, kid: decodeProtectedHeader(token).kid ?? '' };
}

async function rotate(t: Test, { plane, clock, flags = [] }: Rotation): Promise<TestPlane> {
  await plane.stop();
  const config = readConfig(['--data-dir', plane.dataDir, '--rotate-keys', ...flags], {});
  await rotateKeys({ config, clock, chance: createSystemChance(), log: createSilentLog() });
  return startPlane(t, { dataDir: plane.dataDir, clock });
}

interface Rotation {
  plane: TestPlane;
  clock: ManualClock;
  flags?: readonly string[];
}

t.test(
  'JWKS: a key is published before it signs, verifies until what it signed has ended, and is gone when revoked',
  async (t) => {
    const clock = createManualClock({ nowMs: Date.now() });
    const first = await startPlane(t, { dataDir: await temporaryDir(t), clock });
    const status = async (plane: TestPlane, token: string) =>
      (await plane.call('GET /v1/nodes', { token })).status;
    const old = await tokenOf(first, 29 * 86_400);
    t.strictSame(await published(first), [old.kid]);

    const second = await rotate(t, { plane: first, clock });
    const [signing, next = ''] = await published(second);
    t.equal(signing, old.kid, 'the old one signs');
    t.ok(next !== '' && next !== old.kid, 'the new one is known');
    t.equal((await tokenOf(second, 600)).kid, old.kid);
    clock.jumpWall(9 * minuteMs);
    t.equal((await tokenOf(second, 600)).kid, old.kid, 'for ten minutes');
    clock.jumpWall(2 * minuteMs);
    const young = await tokenOf(second, 20 * 86_400);
    t.equal(young.kid, next, 'then the new one signs');
    t.strictSame(await published(second), [next, old.kid], 'and both verify');
    t.equal(await status(second, old.token), 200);

    clock.jumpWall(28 * dayMs);
    t.equal(await status(second, old.token), 200, 'until its end');
    t.strictSame((await published(second)).sort(), [next, old.kid].sort());
    clock.jumpWall(2 * dayMs);
    t.match(await second.call('GET /v1/nodes', { token: old.token }), { status: 401 });
    t.strictSame(await published(second), [next], 'then nobody needs it');

    const third = await startAnew(t, { plane: second, clock });
    const held = await tokenOf(third, 86_400);
    t.equal(await status(third, held.token), 200);
    const fourth = await rotate(t, { plane: third, clock, flags: ['--revoke-keys', next] });
    t.notOk((await published(fourth)).includes(next), 'revoked: no longer published');
    t.match(await fourth.call('GET /v1/nodes', { token: held.token }), { status: 401 }, 'and refused');
    t.equal(await status(fourth, fourth.operator), 200, 'the operator has a token by the key that is left');
  },
);

/** The operator's token ends with its key: a start writes it anew. */
async function startAnew(t: Test, { plane, clock }: Rotation): Promise<TestPlane> {
  await plane.stop();
  return startPlane(t, { dataDir: plane.dataDir, clock });
}
