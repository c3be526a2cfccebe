import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import {
  AccountList,
  AccountView,
  ApiTokenList,
  ApiTokenReply,
} from '../../../../common/contract/accounts.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { createSystemChance } from '../../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../../common/runtime/clock.ts';
import { createLog } from '../../../../common/runtime/log.ts';
import { readConfig } from '../../../../control-plane/config.ts';
import { openControlPlane } from '../../../../control-plane/main.ts';
import { makeCallers } from '../../support/callers.ts';
import { startPlane, temporaryDir, type TestPlane } from '../../support/control-plane.ts';

const password = 'seven grey elephants knit';
const ada = { email: 'Ada@Example.com', name: 'Ada', role: 'operator', password };

async function addAccount(plane: TestPlane, fields: object = {}): Promise<AccountView> {
  return (await plane.call('POST /v1/accounts', { body: { ...ada, ...fields } })).as(AccountView);
}

t.test('accounts: added, listed page by page, changed, removed', async (t) => {
  const plane = await startPlane(t);
  const account = await addAccount(plane);
  t.match(account, { email: 'Ada@Example.com', role: 'operator', sites: [], disabled: false });
  t.notMatch(JSON.stringify(account), /password|argon2/i);
  for (const email of ['ada@example.com', 'ADA@EXAMPLE.COM'])
    t.match(await plane.call('POST /v1/accounts', { body: { ...ada, email } }), {
      status: 409,
      json: { code: 'EMAIL_TAKEN' },
    });
  const others = await Promise.all(
    Array.from({ length: 4 }, (_, at) => addAccount(plane, { email: `a${String(at)}@example.com` })),
  );
  const seen: string[] = [];
  for (let after = ''; ;) {
    const page = (await plane.call(`GET /v1/accounts?limit=2${after}`)).as(AccountList);
    seen.push(...page.accounts.map(({ id }) => id));
    if (page.next === undefined) break;
    after = `&after=${page.next}`;
  }
  t.same(seen, [account, ...others].map(({ id }) => id).sort());

  const path = `/v1/accounts/${account.id}` as const;
  t.match(await plane.call(`PATCH ${path}`, { body: { role: 'partner', sites: ['isp-a'] } }), {
    json: { role: 'partner', sites: ['isp-a'] },
  });
  t.match(await plane.call(`PATCH ${path}`, { body: { role: 'viewer' } }), {
    status: 400,
    json: { detail: /sites/ },
  });
  t.match(await plane.call(`PATCH ${path}`, { body: { sites: [] } }), { status: 400 });
  t.equal((await plane.call(`DELETE ${path}`)).status, 204);
  t.match(await plane.call(`GET ${path}`), { status: 404, json: { code: 'ACCOUNT_UNKNOWN' } });
  t.match(await plane.call(`DELETE ${path}`), { status: 404 });
  await addAccount(plane);
});

t.test('no field is taken that is not asked for, and no weak password', async (t) => {
  const plane = await startPlane(t);
  for (const more of [{ id: 'usr_aaaaaaaa' }, { disabled: false }, { passwordHash: 'x' }, { createdAtMs: 0 }])
    t.match(await plane.call('POST /v1/accounts', { body: { ...ada, ...more } }), {
      status: 400,
      json: { code: 'INVALID' },
    });
  const { id } = await addAccount(plane);
  for (const patch of [
    { id: 'usr_aaaaaaaa' },
    { email: 'eve@example.com' },
    { passwordHash: 'x' },
    { role: 'king' },
  ])
    t.match(await plane.call(`PATCH /v1/accounts/${id}`, { body: patch }), {
      status: 400,
      json: { code: 'INVALID' },
    });
  // The text of a body, since an object literal with this key sets a prototype.
  const polluting = JSON.stringify(ada).replace('{', '{"__proto__":{"role":"admin"},');
  t.match(await plane.call('POST /v1/accounts', { body: polluting }), { status: 400 });
  t.match(
    await plane.call('POST /v1/accounts', {
      body: { ...ada, email: 'b@example.com', password: 'Summer2026!!' },
    }),
    {
      status: 400,
      json: { code: 'PASSWORD_WEAK', detail: /easily guessed/ },
    },
  );
  for (const email of [
    'no',
    'a@b@c',
    'a b@example.com',
    '@example.com',
    'a@',
    `${'x'.repeat(300)}@example.com`,
  ])
    t.match(await plane.call('POST /v1/accounts', { body: { ...ada, email } }), { status: 400 }, email);
});

t.test('the code of the first admin is good for nothing once there is an account', async (t) => {
  const plane = await startPlane(t);
  await addAccount(plane);
  const body = { email: 'root@example.com', name: 'Root', password, code: plane.firstAdminCode };
  t.match(await plane.call('POST /v1/accounts/first', { token: '', body }), {
    status: 403,
    json: { code: 'FIRST_ADMIN_CODE_INVALID' },
  });
});

t.test('the first admin comes by the code that is printed, once', async (t) => {
  const dataDir = await temporaryDir(t);
  const lines: string[] = [];
  const log = createLog({ name: 'test', write: (line) => lines.push(line) });
  const config = readConfig(['--data-dir', dataDir, '--port', '0'], {});
  const base = { config, clock: createSystemClock(), chance: createSystemChance(), log };
  const opened = await openControlPlane(base);
  const { firstAdminCode: earlier } = opened;
  t.match(earlier, /^([0-9A-Z]{4}-){4}[0-9A-Z]{4}$/);
  for (const component of [...opened.components].reverse()) await component.stop?.();
  await opened.close();
  const plane = await startPlane(t, { dataDir });
  const first = { email: 'root@example.com', name: 'Root', password };
  const add = (code: string) =>
    plane.call('POST /v1/accounts/first', { token: '', body: { ...first, code } });
  t.match(
    await add(earlier ?? ''),
    { status: 403, json: { code: 'FIRST_ADMIN_CODE_INVALID' } },
    'of another process',
  );
  const code = plane.firstAdminCode ?? '';
  t.not(code, earlier);
  t.match(await add('0000-0000-0000-0000-0000'), { status: 403 });
  t.match(
    await plane.call('POST /v1/accounts/first', { token: '', body: { ...first, code, password: 'x' } }),
    {
      json: { code: 'PASSWORD_WEAK' },
    },
  );
  const answers = await Promise.all([add(code.toLowerCase()), add(code)]);
  t.same(answers.map(({ status }) => status).sort(), [201, 403], 'good once');
  t.match((await plane.call('GET /v1/accounts')).json, {
    accounts: [{ role: 'admin', email: 'root@example.com' }],
  });
  await plane.stop();
  const again = await startPlane(t, { dataDir });
  t.equal(again.firstAdminCode, undefined);
  const stored = await readFile(join(dataDir, 'records', 'auth.db'));
  t.notOk(stored.includes(password) || stored.includes(code));
});

t.test('API tokens: made within what the caller may do, shown once, listed, revoked, expired', async (t) => {
  const clock = createManualClock();
  const plane = await startPlane(t, { clock });
  const { accessToken } = await makeCallers(plane);
  const { id } = await addAccount(plane);
  const own = await accessToken({ sub: id, role: 'operator' });
  const order = { name: 'the build', scopes: ['titles:write', 'read'], ttlS: 3600 };
  const made = (await plane.call('POST /v1/api-tokens', { token: own, body: order })).as(ApiTokenReply);
  t.match(made, { owner: id, role: 'operator', token: /^ncat_[0-9a-f]{16}_[\w-]{32}$/ });
  const { token } = made;
  t.equal((await plane.call('GET /v1/nodes', { token })).status, 200);
  t.match((await plane.call('GET /v1/me', { token })).json, {
    sub: id,
    account: { email: ada.email },
    scopes: order.scopes,
  });
  t.match(await plane.call('POST /v1/nodes/x/drain', { token, body: { drain: true } }), {
    json: { code: 'FORBIDDEN' },
  });
  const maker = await plane.call('POST /v1/api-tokens', {
    ...{ token: own, body: { ...order, scopes: ['api-tokens:write', 'titles:read'] } },
  });
  const make = (scopes: string[]) =>
    plane.call('POST /v1/api-tokens', { token: maker.as(ApiTokenReply).token, body: { ...order, scopes } });
  for (const above of [['write'], ['titles:write'], ['titles:read', 'nodes:read']])
    t.match(await make(above), { status: 403, json: { detail: /your own token has no scope/ } });
  const lesser = (await make(['titles:read'])).as(ApiTokenReply);
  for (const { id: tokenId } of [lesser, maker.as(ApiTokenReply)])
    t.equal((await plane.call(`DELETE /v1/api-tokens/${tokenId}`, { token: own })).status, 204);

  const refused: [object, number][] = [
    [{ role: 'admin' }, 403],
    [{ role: 'partner' }, 403],
    [{ scopes: ['title:write'] }, 400],
    [{ scopes: [] }, 400],
    [{ ttlS: 10 }, 400],
    [{ owner: 'usr_another1' }, 400],
  ];
  for (const [change, status] of refused)
    t.match(await plane.call('POST /v1/api-tokens', { token: own, body: { ...order, ...change } }), {
      status,
    });

  const list = await plane.call('GET /v1/api-tokens', { token: own });
  t.match(list.as(ApiTokenList).tokens, [{ id: made.id }]);
  t.notMatch(list.text, /secret|hash|ncat_/i);
  t.match((await plane.call('GET /v1/api-tokens')).json, { tokens: [] }, "nobody's but one's own");
  t.match((await plane.call('GET /v1/api-tokens?all=true')).json, { tokens: [{ id: made.id }] });
  t.equal((await plane.call('GET /v1/api-tokens?all=true', { token: own })).status, 403);
  const stored = await readFile(join(plane.dataDir, 'records', 'auth.db-wal'));
  t.notOk(stored.includes(token.slice(-32)), 'hashed at rest');

  const stranger = await accessToken({ sub: 'usr_somebodyelse', role: 'operator' });
  t.match(await plane.call(`DELETE /v1/api-tokens/${made.id}`, { token: stranger }), { status: 404 });
  for (const wrong of [
    `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
    token.replace(/_[0-9a-f]{16}_/, '_0123456789abcdef_'),
  ])
    t.match(await plane.call('GET /v1/nodes', { token: wrong }), {
      status: 401,
      json: { code: 'CREDENTIAL_INVALID' },
    });
  t.equal((await plane.call(`DELETE /v1/api-tokens/${made.id}`, { token: own })).status, 204);
  t.match(await plane.call('GET /v1/nodes', { token }), { status: 401 });

  const short = (await plane.call('POST /v1/api-tokens', { token: own, body: order })).as(ApiTokenReply);
  clock.jumpWall(3_600_000);
  t.match(await plane.call('GET /v1/nodes', { token: short.token }), {
    status: 401,
    json: { code: 'CREDENTIAL_EXPIRED' },
  });
});

t.test('what an account may no longer do, its tokens may not either, at once', async (t) => {
  const plane = await startPlane(t);
  const { accessToken } = await makeCallers(plane);
  const { id } = await addAccount(plane);
  const own = await accessToken({ sub: id, role: 'operator' });
  const order = { name: 'a', scopes: ['read', 'write'], ttlS: 3600 };
  const { token } = (await plane.call('POST /v1/api-tokens', { token: own, body: order })).as(ApiTokenReply);
  const link = await plane.call('POST /v1/access-tokens', {
    token,
    body: { role: 'viewer', sub: 'me', ttlS: 3600 },
  });
  const { token: minted } = link.json as { token: string };
  const mayNodes = async () => (await plane.call('GET /v1/nodes', { token })).status;
  const mayTitles = async () => (await plane.call('GET /v1/titles', { token: minted })).status;
  t.same([await mayNodes(), await mayTitles()], [200, 200]);
  const change = (body: object) => plane.call(`PATCH /v1/accounts/${id}`, { body });
  await change({ disabled: true });
  t.same([await mayNodes(), await mayTitles()], [401, 401]);
  await change({ disabled: false });
  t.same([await mayNodes(), await mayTitles()], [200, 200]);
  await change({ role: 'viewer' });
  t.same([await mayNodes(), await mayTitles()], [401, 401]);
  await change({ role: 'operator' });
  await plane.call(`DELETE /v1/accounts/${id}`);
  t.same([await mayNodes(), await mayTitles()], [401, 401]);
  t.match((await plane.call('GET /v1/api-tokens?all=true')).json, { tokens: [] });
  const admin = await plane.call('POST /v1/access-tokens', {
    body: { role: 'operator', sub: 'op', ttlS: 3600 },
  });
  const above = {
    token: (admin.json as { token: string }).token,
    body: { role: 'admin', sub: 'me', ttlS: 3600 },
  };
  t.match(await plane.call('POST /v1/access-tokens', above), { status: 403 });
});
