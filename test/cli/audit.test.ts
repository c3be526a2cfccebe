import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { startPlane, temporaryDir } from '../control-plane/support/control-plane.ts';
import { addPerson } from '../control-plane/support/sign-in.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';

t.test('what was done, and that nobody changed it since, from the command line', async (t) => {
  const dataDir = await temporaryDir(t);
  const plane = await startPlane(t, { dataDir });
  const nearcast = nearcastCli(plane);
  t.match(await nearcast('audit', 'list'), { code: 0, stdout: /There are no such entries/ });
  t.match(await nearcast('audit', 'verify'), { code: 0, stdout: /^0 entries/ });
  const { id } = await addPerson(plane);
  await plane.call(`PATCH /v1/accounts/${id}`, { body: { role: 'partner', sites: ['isp-a'] } });
  await plane.call(`DELETE /v1/accounts/${id}`);
  const listed = await nearcast('audit', 'list', '--from', '1h');
  t.match(listed, { code: 0, stdout: /DELETE.*done[^]*PATCH.*done.*role=partner sites=\["isp-a"\][^]*POST/ });
  t.notMatch(listed.stdout, /begun/, 'an act is one row');
  const filtered = await nearcast(
    '--json',
    'audit',
    'list',
    '--object',
    id,
    '--action',
    'PATCH',
    '--limit',
    '1',
  );
  t.match(JSON.parse(filtered.stdout), [{ action: 'PATCH /v1/accounts/:id', outcome: 'done', object: id }]);
  t.match(await nearcast('audit', 'list', '--to', '1h'), { stdout: /no such entries/ });
  t.match(await nearcast('audit', 'list', '--from', 'yesterday'), { code: 1, stderr: /no time/ });
  const { head } = JSON.parse((await nearcast('--json', 'audit', 'verify')).stdout) as { head: string };
  t.match(head, /^6:[0-9a-f]{64}$/);
  await plane.stop();

  const tamper = async (sql: string, wanted: RegExp, ...argv: string[]): Promise<void> => {
    const file = new Database(join(dataDir, 'records', 'audit.db'));
    for (const name of ['entries_stay', 'entries_kept']) file.exec(`DROP TRIGGER IF EXISTS ${name}`);
    file.exec(sql);
    file.close();
    const again = await startPlane(t, { dataDir });
    t.match(await nearcastCli(again)('audit', 'verify', ...argv), { code: 1, stderr: wanted }, sql);
    await again.stop();
  };
  const change = `UPDATE entries SET text = replace(text, 'role=partner', 'role=viewer') WHERE sequence = 3`;
  await tamper(change, /AUDIT_BROKEN.*entry 3: it was changed/);
  await tamper('DELETE FROM entries WHERE sequence = 2', /AUDIT_BROKEN.*entry 2: it is missing/);
});

t.test('an end that was cut off is found by the head that was noted down', async (t) => {
  const dataDir = await temporaryDir(t);
  const plane = await startPlane(t, { dataDir });
  await addPerson(plane);
  await addPerson(plane, { email: 'b@example.com' });
  const { head } = JSON.parse((await nearcastCli(plane)('--json', 'audit', 'verify')).stdout) as {
    head: string;
  };
  await plane.stop();
  const file = new Database(join(dataDir, 'records', 'audit.db'));
  file.exec('DROP TRIGGER entries_kept; DELETE FROM entries WHERE sequence > 2');
  file.close();
  const again = await startPlane(t, { dataDir });
  const nearcast = nearcastCli(again);
  t.match(await nearcast('audit', 'verify'), { code: 0, stdout: /^2 entries/ }, 'by itself it is whole');
  t.match(await nearcast('audit', 'verify', '--head', head), { code: 1, stderr: /entry 3.*went to 4/ });
  await addPerson(again, { email: 'c@example.com' });
  t.match(await nearcast('audit', 'verify', '--head', head), { code: 1, stderr: /entry 4.*anew/ });
  t.match(await nearcast('audit', 'verify', '--head', '4:xyz'), { code: 1, stderr: /is not like/ });
});
