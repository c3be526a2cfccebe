import { join } from 'node:path';
import Database from 'better-sqlite3';
import t, { type Test } from 'tap';
import { enrolNode, startPlane } from '../../support/control-plane.ts';
import { addClient, addPerson, signIn } from '../../support/sign-in.ts';
import { WebClient } from '../../support/web-client.ts';

/** Collections with an entry for each person, session, token or box, but the two that are queues. */
const ofPeople =
  /^(accounts|emails|passkeys|api-tokens|oidc(?!-ends)|refresh-chains|profiles(?!-removed)|identities|enrolment)/;

/** Every statement that is prepared from now on, and what ranges of keys are read. */
function watchStatements(t: Test) {
  const statements = new Set<string>();
  const ranges: { collection: string; lower: string }[] = [];
  const { prepare } = Database.prototype;
  t.teardown(() => {
    Database.prototype.prepare = prepare;
  });
  Database.prototype.prepare = function (this: Database.Database, source: string) {
    statements.add(source);
    const statement = prepare.call(this, source);
    if (!source.includes('ORDER BY key')) return statement as never;
    const all = statement.all.bind(statement) as (...values: unknown[]) => unknown[];
    statement.all = (...values: unknown[]) => {
      const [collection, lower] = values as string[];
      ranges.push({ collection: collection ?? '', lower: lower ?? '' });
      return all(...values);
    };
    return statement as never;
  };
  return { statements, ranges };
}

t.test('no statement over accounts, sessions or tokens reads a table from end to end', async (t) => {
  const { statements, ranges } = watchStatements(t);
  const plane = await startPlane(t);
  await addPerson(plane);
  await addClient(plane);
  const box = await enrolNode(plane, 'box-1');
  const order = { name: 'a', scopes: ['read'], ttlS: 3600 };
  const { token } = (await plane.call('POST /v1/api-tokens', { body: order })).json as { token: string };

  ranges.length = 0;
  const web = new WebClient(plane.url);
  await signIn(web, await web.get('/account'));
  t.match((await web.get('/account')).text, /Where you are signed in/);
  t.equal((await plane.call('GET /v1/nodes', { token })).status, 200);
  t.equal((await plane.call('GET /v1/sessions')).status, 200);
  t.equal((await plane.call('GET /v1/api-tokens')).status, 200);
  t.equal((await box.beat()).status, 200);
  // What has ended is removed by when it ends: a page of the earliest, each minute.
  const whole = ranges.filter(({ collection, lower }) => lower === '' && ofPeople.test(collection));
  t.strictSame(whole, [], 'and nobody is found by going through all');
  t.ok(ranges.length > 0, 'ranges are read, of one account or grant');
  await plane.stop();

  const reading = [...statements].filter(
    (source) => /^\s*(SELECT|UPDATE|DELETE|INSERT)/i.test(source) && /\brecords\b/.test(source),
  );
  t.ok(reading.length >= 4, String(reading.length));
  for (const service of ['auth', 'access', 'users']) {
    const file = new Database(join(plane.dataDir, 'records', `${service}.db`), { readonly: true });
    t.teardown(() => file.close());
    const rows = file.prepare('SELECT count(*) AS rows FROM records').get() as { rows: number };
    t.ok(rows.rows > 0, 'there is something to be read');
    for (const source of reading) {
      const values = Array.from({ length: source.split('?').length - 1 }, () => 1);
      const plan = file.prepare(`EXPLAIN QUERY PLAN ${source}`).all(...values) as { detail: string }[];
      for (const { detail } of plan) {
        t.notMatch(detail, /SCAN|TEMP B-TREE/, source);
        t.match(detail, /USING (PRIMARY KEY|INDEX|COVERING INDEX)/, source);
      }
    }
  }
});
