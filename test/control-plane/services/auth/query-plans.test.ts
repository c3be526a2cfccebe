import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { startPlane } from '../../support/control-plane.ts';
import { addClient, addPerson, signIn } from '../../support/sign-in.ts';
import { WebClient } from '../../support/web-client.ts';

t.test('no statement over accounts, sessions or tokens reads a table from end to end', async (t) => {
  const statements = new Set<string>();
  const { prepare } = Database.prototype;
  t.teardown(() => {
    Database.prototype.prepare = prepare;
  });
  Database.prototype.prepare = function (this: Database.Database, source: string) {
    statements.add(source);
    return prepare.call(this, source) as never;
  };
  const plane = await startPlane(t);
  await addPerson(plane);
  await addClient(plane);
  const web = new WebClient(plane.url);
  await signIn(web, await web.get('/account'));
  t.match((await web.get('/account')).text, /Where you are signed in/);
  const order = { name: 'a', scopes: ['read'], ttlS: 3600 };
  const { token } = (await plane.call('POST /v1/api-tokens', { body: order })).json as { token: string };
  t.equal((await plane.call('GET /v1/nodes', { token })).status, 200);
  t.equal((await plane.call('GET /v1/sessions')).status, 200);
  await plane.stop();

  const file = new Database(join(plane.dataDir, 'records', 'auth.db'), { readonly: true });
  t.teardown(() => file.close());
  const rows = file.prepare('SELECT count(*) AS rows FROM records').get() as { rows: number };
  t.ok(rows.rows > 10, 'there is something to be read');
  const reading = [...statements].filter(
    (source) => /^\s*(SELECT|UPDATE|DELETE|INSERT)/i.test(source) && /\brecords\b/.test(source),
  );
  t.ok(reading.length >= 4, String(reading.length));
  for (const source of reading) {
    if (source.includes('count(*)')) continue;
    const values = Array.from({ length: source.split('?').length - 1 }, () => 1);
    const plan = file.prepare(`EXPLAIN QUERY PLAN ${source}`).all(...values) as { detail: string }[];
    for (const { detail } of plan) {
      t.notMatch(detail, /SCAN|TEMP B-TREE/, source);
      t.match(detail, /USING (PRIMARY KEY|INDEX|COVERING INDEX)/, source);
    }
  }
});
