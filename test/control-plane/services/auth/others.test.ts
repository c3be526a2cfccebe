import t from 'tap';
import { AccessTokenReply } from '../../../../common/contract/credentials.ts';
import { SessionList } from '../../../../common/contract/accounts.ts';
import { startPlane } from '../../support/control-plane.ts';
import { addPerson, password, signIn } from '../../support/sign-in.ts';
import { WebClient } from '../../support/web-client.ts';

t.test('nobody ends a session of somebody else', async (t) => {
  const plane = await startPlane(t);
  await addPerson(plane);
  const bob = await addPerson(plane, { email: 'bob@example.com', name: 'Bob' });
  const [adas, bobs] = [new WebClient(plane.url), new WebClient(plane.url)];
  await signIn(adas, await adas.get('/account'));
  const page = await signIn(bobs, await bobs.get('/account'), { email: 'bob@example.com' });
  const ids = [...(await adas.get('/account')).text.matchAll(/id="(ses_[\w-]+)"/g)].map(([, id]) => id);
  t.equal(ids.length, 1);
  const [adasId = ''] = ids;
  const body = { role: 'operator', sub: bob.id, ttlS: 600 };
  const { token } = (await plane.call('POST /v1/access-tokens', { body })).as(AccessTokenReply);
  const own = (await plane.call('GET /v1/sessions', { token })).as(SessionList).sessions;
  t.match(own, [{ accountId: bob.id }]);
  t.match(await plane.call(`DELETE /v1/sessions/${adasId}`, { token }), {
    status: 404,
    json: { code: 'SESSION_UNKNOWN' },
  });
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
  t.equal((await bobs.post(`/account/sessions/${adasId}/end`, { csrf })).status, 404);
  t.match((await adas.get('/account')).text, /Ada/, 'she is signed in yet');
  t.equal(
    (await plane.call(`DELETE /v1/sessions/${own[0]?.id ?? ''}`, { token })).status,
    204,
    'of one’s own',
  );
});

t.test('an account of one’s own is no way to guess at others without end', async (t) => {
  // What one address may ask is limited besides.
  const plane = await startPlane(t, { flags: ['--gateway-sign-in-per-second', '1000'] });
  await addPerson(plane);
  const web = new WebClient(plane.url);
  const page = await web.follow(await web.get('/account'));
  let guesses = 0;
  const guess = async (): Promise<number> =>
    (await web.post(page.url, { email: `somebody-${guesses++}@example.com`, password: 'a guess' })).status;
  const statuses = new Set<number>();
  for (let at = 0; at < 30; at++) statuses.add(await guess());
  const own = new WebClient(plane.url);
  const begun = await own.follow(await own.get('/account'));
  t.equal((await own.post(begun.url, { email: 'ada@example.com', password })).status, 303);
  for (let at = 0; at < 20; at++) statuses.add(await guess());
  t.strictSame([...statuses], [422], 'fifty are free');
  t.equal(await guess(), 429);
});

t.test('codes of devices are tried ten times a minute', async (t) => {
  const plane = await startPlane(t);
  const web = new WebClient(plane.url);
  const statuses: number[] = [];
  for (let at = 0; at < 11; at++)
    statuses.push((await web.post('/oauth/device', { user_code: `BBBB-BBB${at}` })).status);
  t.notOk(statuses.slice(0, 10).includes(429));
  t.equal(statuses[10], 429);
});
