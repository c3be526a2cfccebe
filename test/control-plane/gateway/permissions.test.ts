import t from 'tap';
import { scopeOfRoute, scopeResources } from '../../../common/core/scopes.ts';
import { callerNames, makeCallers, type CallerName } from '../support/callers.ts';
import { startPlane, type Answer } from '../support/control-plane.ts';

const operators: readonly CallerName[] = ['admin', 'operator'];
const admins: readonly CallerName[] = ['admin'];
const boxes: readonly CallerName[] = ['appliance', 'origin'];
const nodes: readonly CallerName[] = ['appliance', 'origin', 'steering', 'encoder'];
const people: readonly CallerName[] = ['admin', 'operator', 'partner', 'viewer', 'service'];
const everyone = callerNames;

/**
 * Who may call each route. `self`: a node only for itself. `partner`: how another's object is hidden from a partner. A route that is
 * added needs a row; so does every decision to let somebody else call one.
 */
interface Row {
  readonly may: readonly CallerName[];
  readonly self?: true;
  /** Takes a token whatever its scopes are. */
  readonly anyScope?: true;
}

const rows: Readonly<Record<string, Row>> = {
  'GET /v1/me': { may: people, anyScope: true },
  'POST /v1/accounts/first': { may: everyone },
  'GET /v1/accounts': { may: admins },
  'GET /v1/audit': { may: admins },
  'GET /v1/accounts/:id': { may: admins },
  'POST /v1/accounts': { may: admins },
  'PATCH /v1/accounts/:id': { may: admins },
  'GET /v1/accounts/:id/export': { may: admins },
  'DELETE /v1/accounts/:id': { may: admins },
  'DELETE /v1/accounts/:id/totp': { may: admins },
  'DELETE /v1/accounts/:id/passkeys': { may: admins },
  'GET /v1/sessions': { may: ['admin', 'operator', 'partner', 'viewer'] },
  'DELETE /v1/sessions/:id': { may: ['admin', 'operator', 'partner', 'viewer'] },
  'GET /v1/oauth-clients': { may: admins },
  'POST /v1/oauth-clients': { may: admins },
  'DELETE /v1/oauth-clients/:id': { may: admins },
  // Sign-in itself: what these ask for is a password, a code or a cookie.
  'GET /.well-known/openid-configuration': { may: everyone },
  'GET /.well-known/oauth-authorization-server': { may: everyone },
  'GET /oauth/jwks': { may: everyone },
  'GET /oauth/authorize': { may: everyone },
  'GET /oauth/authorize/:uid': { may: everyone },
  'POST /oauth/token': { may: everyone },
  'POST /oauth/revoke': { may: everyone },
  'POST /oauth/device/code': { may: everyone },
  'GET /oauth/device': { may: everyone },
  'POST /oauth/device': { may: everyone },
  'GET /oauth/device/:uid': { may: everyone },
  'GET /oauth/sign-in/:uid': { may: everyone },
  'POST /oauth/sign-in/:uid': { may: everyone },
  'POST /oauth/sign-in/:uid/code': { may: everyone },
  'POST /oauth/sign-in/:uid/passkey': { may: everyone },
  'GET /oauth/passkey.js': { may: everyone },
  'POST /oauth/sign-in/:uid/consent': { may: everyone },
  'POST /oauth/sign-in/:uid/cancel': { may: everyone },
  'POST /oauth/sign-out/confirm': { may: everyone },
  'GET /oauth/style.css': { may: everyone },
  'GET /account': { may: everyone },
  'GET /account/sign-in': { may: everyone },
  'POST /account/sign-out': { may: everyone },
  'POST /account/password': { may: everyone },
  'POST /account/totp': { may: everyone },
  'POST /account/totp/confirm': { may: everyone },
  'POST /account/totp/remove': { may: everyone },
  'POST /account/passkeys': { may: everyone },
  'POST /account/passkeys/:id/remove': { may: everyone },
  'GET /account/forgotten': { may: everyone },
  'POST /account/forgotten': { may: everyone },
  'GET /account/reset': { may: everyone },
  'POST /account/reset': { may: everyone },
  'GET /account/confirm': { may: everyone },
  'POST /account/confirm': { may: everyone },
  'POST /account/confirm-letter': { may: everyone },
  'POST /account/sessions/:id/end': { may: everyone },
  'GET /v1/api-tokens': { may: ['admin', 'operator', 'partner'] },
  'POST /v1/api-tokens': { may: ['admin', 'operator', 'partner'] },
  'DELETE /v1/api-tokens/:id': { may: ['admin', 'operator', 'partner'] },
  'GET /v1/backups': { may: admins },
  'POST /v1/backups': { may: admins },
  'POST /v1/access-tokens': { may: operators },
  'POST /v1/enrolment-codes': { may: operators },
  'POST /v1/enrol': { may: everyone },
  'GET /v1/keyset': { may: everyone },
  'GET /v1/nodes': { may: [...operators, 'partner'] },
  'GET /v1/nodes/:id': { may: [...operators, 'partner'] },
  'POST /v1/nodes/:id/drain': { may: operators },
  'DELETE /v1/nodes/:id': { may: operators },
  'PUT /v1/nodes/:id/heartbeat': { may: boxes, self: true },
  'PUT /v1/nodes/:id/address': { may: ['steering'], self: true },
  'GET /v1/nodes/:id/certificate': { may: boxes, self: true },
  'PUT /v1/nodes/:id/certificate': { may: boxes, self: true },
  'POST /v1/nodes/:id/served-reports': { may: boxes, self: true },
  'GET /v1/nodes/:id/fill-manifest': { may: boxes, self: true },
  'POST /v1/nodes/:id/fill-sources': { may: ['appliance'], self: true },
  'POST /v1/nodes/:id/fill-reports': { may: ['appliance'], self: true },
  'POST /v1/nodes/:id/withdrawal-receipts': { may: boxes, self: true },
  'PUT /v1/nodes/:id/route-table': { may: boxes, self: true },
  'PATCH /v1/nodes/:id/route-table': { may: boxes, self: true },
  'GET /v1/maintenance': { may: [...operators, 'partner'] },
  'POST /v1/maintenance': { may: operators },
  'DELETE /v1/maintenance/:id': { may: operators },
  'POST /v1/uploads': { may: operators },
  'GET /v1/uploads/:id': { may: operators },
  'PATCH /v1/uploads/:id': { may: operators },
  'POST /v1/encode-jobs/lease': { may: ['encoder'] },
  'POST /v1/encode-jobs/:id/progress': { may: ['encoder'] },
  'POST /v1/encode-jobs/:id/complete': { may: ['encoder'] },
  'POST /v1/encode-jobs/:id/fail': { may: ['encoder'] },
  'POST /v1/titles': { may: operators },
  'POST /v1/titles/import': { may: operators },
  'GET /v1/titles/import': { may: operators },
  'GET /v1/titles': { may: [...operators, 'viewer'] },
  'GET /v1/search/titles': { may: [...operators, 'viewer'] },
  'GET /v1/titles/:id': { may: [...operators, 'viewer'] },
  'PATCH /v1/titles/:id': { may: operators },
  'GET /v1/titles/:id/metadata': { may: operators },
  'PUT /v1/titles/:id/metadata': { may: operators },
  'POST /v1/titles/:id/withdraw': { may: operators },
  'GET /v1/titles/:id/artwork': { may: operators },
  'POST /v1/titles/:id/artwork': { may: operators },
  'DELETE /v1/titles/:id/artwork/:artworkId': { may: operators },
  'GET /v1/artwork': { may: [...operators, 'viewer'] },
  'GET /v1/withdrawals': { may: operators },
  'GET /v1/withdrawals/:id': { may: operators },
  'POST /v1/withdrawals/:id/lift': { may: operators },
  'GET /v1/plans': { may: [...operators, 'viewer'] },
  'PUT /v1/plans/:id': { may: operators },
  'GET /v1/coupons': { may: operators },
  'PUT /v1/coupons/:id': { may: operators },
  'GET /v1/taxes': { may: operators },
  'PUT /v1/taxes': { may: operators },
  'GET /v1/entitlements': { may: [...operators, 'viewer'] },
  'GET /v1/subscriptions': { may: operators },
  'POST /v1/subscriptions': { may: operators },
  'GET /v1/subscriptions/:id': { may: operators },
  'GET /v1/subscriptions/:id/usage': { may: operators },
  'POST /v1/subscriptions/:id/plan': { may: operators },
  'POST /v1/subscriptions/:id/pause': { may: operators },
  'POST /v1/subscriptions/:id/resume': { may: operators },
  'POST /v1/subscriptions/:id/cancel': { may: operators },
  'GET /v1/invoices': { may: operators },
  'GET /v1/invoices/:id': { may: operators },
  'POST /v1/invoices/:id/credit': { may: operators },
  'GET /v1/payments': { may: operators },
  'POST /v1/payments': { may: operators },
  'POST /v1/payments/refund': { may: operators },
  'GET /v1/payments/disputes': { may: operators },
  'POST /v1/payment-methods': { may: [...operators, 'viewer'] },
  'GET /v1/payment-methods': { may: [...operators, 'viewer'] },
  'GET /v1/collections': { may: operators },
  'POST /v1/collections/:id/retry': { may: operators },
  'POST /v1/provider-notices/stripe': { may: everyone },
  'POST /v1/sign-ups': { may: admins },
  'POST /v1/subscriptions/:id/paid-plan': { may: operators },
  'POST /v1/usage': { may: operators },
  'GET /v1/usage': { may: operators },
  'GET /v1/reports/revenue': { may: operators },
  'GET /v1/issuer': { may: operators },
  'PUT /v1/issuer': { may: operators },
  'GET /v1/invoices/:id/page': { may: operators },
  'GET /v1/invoices/:id/pdf': { may: operators },
  'GET /v1/invoices/credit-notes': { may: operators },
  'GET /v1/invoices/credit-notes/:id/page': { may: operators },
  'GET /v1/invoices/credit-notes/:id/pdf': { may: operators },
  'GET /v1/webhooks': { may: operators },
  'PUT /v1/webhooks/:id': { may: operators },
  'DELETE /v1/webhooks/:id': { may: operators },
  'GET /v1/webhooks/:id/dead-letters': { may: operators },
  'POST /v1/webhooks/:id/retry': { may: operators },
  'GET /v1/ledger/balances': { may: operators },
  'GET /v1/ledger/transactions': { may: operators },
  'GET /v1/ledger/verify': { may: operators },
  'GET /v1/profiles': { may: [...operators, 'viewer'] },
  'GET /v1/profiles/:id': { may: [...operators, 'viewer'] },
  'POST /v1/profiles': { may: [...operators, 'viewer'] },
  'PATCH /v1/profiles/:id': { may: [...operators, 'viewer'] },
  'DELETE /v1/profiles/:id': { may: [...operators, 'viewer'] },
  'POST /v1/profiles/:id/unlock': { may: [...operators, 'viewer'] },
  'POST /v1/profiles/:id/viewing': { may: ['viewer'] },
  'GET /v1/profiles/:id/continue-watching': { may: ['viewer'] },
  'GET /v1/profiles/:id/history': { may: ['viewer'] },
  'GET /v1/profiles/:id/my-list': { may: ['viewer'] },
  'GET /v1/profiles/:id/ratings': { may: ['viewer'] },
  'GET /avatars/:name.svg': { may: everyone },
  'POST /v1/playback-sessions': { may: [...operators, 'viewer'] },
  // The token in the path is the credential; what stands in the header is not looked at.
  'GET /v1/playback/:token/master.m3u8': { may: ['play'] },
  'GET /v1/playback/:token/manifest.mpd': { may: ['play'] },
  'POST /v1/events': { may: [...operators, 'viewer', 'play'] },
  'POST /v1/events/:token': { may: ['play'] },
  'GET /v1/events/log': { may: operators },
  'POST /v1/events/exports': { may: operators },
  'GET /v1/reports/qoe': { may: operators },
  'GET /v1/reports/rows': { may: operators },
  'GET /v1/rows': { may: ['viewer'] },
  'GET /v1/rows/explain': { may: [...operators, 'viewer'] },
  'GET /v1/recommendation-models': { may: operators },
  'POST /v1/recommendation-models': { may: operators },
  'POST /v1/recommendation-models/:id/promote': { may: operators },
  'GET /v1/reports/savings': { may: [...operators, 'partner'] },
  'GET /v1/fill/plan': { may: operators },
  'POST /v1/fill/plan': { may: operators },
  'GET /v1/fill/report': { may: [...operators, 'partner'] },
  'GET /v1/fill/explain': { may: operators },
  'GET /v1/fill/sites': { may: operators },
  'PATCH /v1/fill/sites/:site': { may: operators },
  'PATCH /v1/fill/partners/:partner': { may: operators },
  'GET /v1/routes': { may: operators },
  'GET /v1/routes/lint': { may: operators },
  'GET /v1/routes/sites': { may: operators },
  'PATCH /v1/routes/sites/:site': { may: operators },
  'GET /v1/steering-map': { may: ['steering'] },
  'GET /v1/route-tables/:name': { may: ['steering'] },
  'GET /v1/holdings/:name': { may: ['steering'] },
  'GET /v1/revocations': { may: nodes },
  'POST /v1/revocations': { may: operators },
  'GET /v1/status': { may: operators },
  'GET /': { may: everyone },
  'GET /play': { may: everyone },
  'GET /play/': { may: everyone },
  'GET /console': { may: everyone },
  'GET /console/': { may: everyone },
  'GET /assets/*': { may: everyone },
};

// TOKEN_EXPIRED is said of a good token of a session that is not there: its bearer was let in.
const refusals = /^CREDENTIAL_|^TOKEN_(INVALID|FOREIGN|REVOKED)$|^FORBIDDEN$/;

function isRefused({ status, json, headers }: Answer): boolean {
  const { code = '' } = (json ?? {}) as { code?: string };
  // HEAD is answered without a body.
  const isBodiless = json === undefined && headers['content-length'] !== undefined;
  return (status === 401 || status === 403) && (isBodiless || refusals.test(code));
}

function pathOf(pattern: string, names: { id: string; token: string }): string {
  return pattern
    .replace(':token', names.token)
    .replace(':id', names.id)
    .replaceAll(/:\w+/g, 'x')
    .replace('*', 'x');
}

t.test('who may call each route, for their own and for others', async (t) => {
  const plane = await startPlane(t);
  const callers = await makeCallers(plane);
  const call = async (caller: CallerName, route: string, id: string): Promise<Answer> => {
    const [method = '', pattern = ''] = route.split(' ');
    const byPath = pattern.includes(':token');
    const named = byPath ? await callers.credential(caller, route) : '';
    const path = pathOf(pattern, { id, token: named === '' ? 'x' : named });
    const token = byPath ? '' : await callers.credential(caller, `${method} ${path}`);
    // An array is no body that any route takes, and no query is named colour: whoever is let in hears of that, and nothing is done.
    const body = method === 'GET' || method === 'HEAD' ? undefined : [];
    return plane.call(`${method} /${path.slice(1)}?colour=red`, { token, ...(body && { body }) });
  };
  // HEAD has the hooks of GET, and an answer that does not say which refusal it is: asked where the status alone tells.
  const routes = plane.routes.filter(
    (route) => !route.startsWith('OPTIONS') && !(route.startsWith('HEAD') && route.includes(':token')),
  );
  for (const route of routes) {
    const key = route.replace(/^HEAD /, 'GET ');
    const row = rows[key];
    t.ok(row, `${route} has a row that says who may call it`);
    if (row === undefined) continue;
    for (const caller of callerNames) {
      const wanted = row.may.includes(caller) ? 'may' : 'may not';
      const own = row.self === true ? `own-${caller}` : 'nobody-1';
      const answer = await call(caller, route, own);
      t.equal(isRefused(answer) ? 'may not' : 'may', wanted, `${caller} ${wanted} ${route}: ${answer.text}`);
      if (row.self !== true || !row.may.includes(caller)) continue;
      const other = await call(caller, route, 'other-appliance');
      t.ok(isRefused(other), `${caller} may not ${route} for another: ${other.text}`);
    }
  }
  const gone = Object.keys(rows).filter((key) => !plane.routes.includes(key));
  t.strictSame(gone, [], 'every row is of a route');
});

t.test('a token does no more than its scopes say', async (t) => {
  const plane = await startPlane(t);
  const { accessToken } = await makeCallers(plane);
  for (const [route, row] of Object.entries(rows)) {
    const role = (['admin', 'viewer'] as const).find((one) => row.may.includes(one));
    if (role === undefined || row.may.includes('nobody') || row.anyScope === true) continue;
    const [method = '', pattern = ''] = route.split(' ');
    const wanted = scopeOfRoute(method, pattern);
    const [resource = '', verb = ''] = wanted.split(':');
    t.ok((scopeResources as readonly string[]).includes(resource), `${resource} is among the resources`);
    const path = pathOf(pattern, { id: 'nobody-1', token: 'x' });
    const body = method === 'GET' ? undefined : [];
    for (const [scope, may] of [
      [wanted, true],
      [verb, true],
      [`${resource}:${verb === 'read' ? 'write' : 'read'}`, false],
      [verb === 'read' ? 'write' : 'read', false],
      [`other:${verb}`, false],
      ['openid', false],
      ['', false],
    ] as const) {
      const token = await accessToken({ sub: 'someone', role, scope });
      const answer = await plane.call(`${method} /${path.slice(1)}?colour=red`, {
        token,
        ...(body && { body }),
      });
      t.equal(isRefused(answer), !may, `${route} with ${scope}: ${answer.text}`);
    }
  }
});

t.test('a partner sees its own boxes only', async (t) => {
  const plane = await startPlane(t);
  const { accessToken, credential } = await makeCallers(plane);
  const token = await credential('partner', '');
  const window = { startMs: Date.now() + 3_600_000, endMs: Date.now() + 7_200_000, reason: 'fans' };
  for (const what of [{ appliance: 'own-appliance' }, { appliance: 'other-appliance' }, { site: 'isp-b' }])
    t.equal((await plane.call('POST /v1/maintenance', { body: { ...window, ...what } })).status, 201);

  const list = await plane.call('GET /v1/nodes', { token });
  t.match(list.json, { nodes: [{ id: 'own-appliance' }] });
  t.notMatch(list.text, 'other-appliance');
  t.match(await plane.call('GET /v1/nodes/own-appliance', { token }), { status: 200 });
  const other = await plane.call('GET /v1/nodes/other-appliance', { token });
  t.match(other, { status: 404, json: { code: 'NODE_UNKNOWN' } });
  const unknown = await plane.call('GET /v1/nodes/nobody-1', { token });
  t.equal(other.text.replaceAll('other-appliance', 'nobody-1'), unknown.text, 'as if it were not there');
  t.match(await plane.call('GET /v1/nodes/own-steering', { token }), { status: 404 });

  const maintenance = await plane.call('GET /v1/maintenance', { token });
  t.match(maintenance.json, { windows: [{ appliance: 'own-appliance' }] });
  t.notMatch(maintenance.text, /other-appliance|isp-b/);

  const report = await plane.call('GET /v1/fill/report', { token });
  t.equal(report.status, 200);
  t.notMatch(report.text, /other-appliance|isp-b/);
  t.match(await plane.call('GET /v1/fill/report?site=isp-b', { token }), { status: 403 });
  const both = await accessToken({ sub: 'a partner', role: 'partner', sites: ['isp-a', 'isp-c'] });
  t.match(await plane.call('GET /v1/fill/report', { token: both }), {
    status: 403,
    json: { detail: /isp-c/ },
  });
  const none = await accessToken({ sub: 'a partner', role: 'partner' });
  t.match((await plane.call('GET /v1/nodes', { token: none })).json, { nodes: [] });
  t.match(await plane.call('GET /v1/fill/report', { token: none }), { status: 403 });
});
