import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { ExplainReply } from '../../../common/contract/steering.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { replayDecisions } from '../../../steering/lab.ts';
import { startSteeringControl } from '../../support/steering-control.ts';
import { appliance, bundleOf, mapOf, route } from '../../support/steering-maps.ts';
import { startBox, startSteering, until } from '../../support/steering-process.ts';

const bundle = bundleOf('0');

t.test(
  'a steering process explains what was, over a restart, and gives it out to be replayed',
  async (test) => {
    const control = await startSteeringControl();
    const box = await startBox('a-1');
    test.teardown(() => Promise.all([control.close(), box.kill()]));
    const dataDir = await mkdtemp(join(tmpdir(), 'steering-'));
    const boxOf = (id: string) => appliance(id, { url: box.url, routes: [route('127.0.0.0/8')] });
    control.publish(await control.signMap(mapOf([boxOf('a-1')]), 1), 1);
    const options = { dataDir, controlUrl: control.url };
    const first = await startSteering({ ...options, code: control.code });
    test.teardown(() => first.stop('SIGKILL'));
    const token = await control.accessToken('operator');
    const ask = async (url: string, path: string): Promise<Response> =>
      await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    const explained = async (url: string, atMs?: number): Promise<ExplainReply> => {
      const at = atMs === undefined ? '' : `&atMs=${atMs}`;
      const response = await ask(url, `/v1/explain?client=127.0.0.1&bundle=${bundle}${at}`);
      return parseAs(ExplainReply, await response.json(), { what: 'an explanation' });
    };
    const sequenceOf = async (url: string): Promise<number> =>
    await explained(url).then(({ mapSequence }) => mapSequence, () => 0); // prettier-ignore
    await until('the first map', async () => (await sequenceOf(first.url)) === 1);
    const rank = { method: 'POST', body: JSON.stringify({ bundle, client: '127.0.0.1' }) };
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    test.equal((await fetch(`${first.url}/v1/rank`, { ...rank, headers })).status, 200);
    const thenMs = Date.now();
    control.publish(await control.signMap(mapOf([boxOf('a-2')]), 2), 2);
    await until('the second map', async () => (await sequenceOf(first.url)) === 2);
    // The journal is flushed every second.
    const then = await untilExplained(() => explained(first.url, thenMs));
    test.match(then, { mapSequence: 1, candidates: [{ id: 'a-1' }] });
    test.equal((await ask(first.url, `/v1/explain?client=127.0.0.1&bundle=${bundle}&atMs=1`)).status, 404);
    const tomorrow = await ask(first.url, `/v1/explain?client=127.0.0.1&atMs=${thenMs + 86_400_000}`);
    test.match(await tomorrow.json(), { code: 'INVALID', detail: /still to come/ });
    await first.stop('SIGTERM');

    const second = await startSteering(options);
    test.teardown(() => second.stop('SIGKILL'));
    test.match(await explained(second.url, thenMs), { mapSequence: 1, candidates: [{ id: 'a-1' }] });
    const recording = await ask(second.url, `/v1/history?fromMs=${thenMs - 60_000}&toMs=${Date.now()}`);
    const file = join(dataDir, 'recording');
    await writeFile(file, Buffer.from(await recording.arrayBuffer()));
    const { signal } = new AbortController();
    test.match(await replayDecisions({ file, without: [], signal }), { decisions: 1, fidelity: 1, moved: 0 });
    test.match(await replayDecisions({ file, without: ['a-1'], signal }), { moved: 1 });
    const typo = replayDecisions({ file, without: ['a-1', 'a-7'], signal });
    await test.rejects(typo, { code: 'INVALID', message: /no map of the recording has a-7/ });
    test.equal((await ask(second.url, '/v1/history?fromMs=2&toMs=1')).status, 400);
  },
);

async function untilExplained(explain: () => Promise<ExplainReply>): Promise<ExplainReply> {
  for (let tries = 0; tries < 100; tries++) {
    const reply = await explain().catch(() => undefined);
    if (reply !== undefined) return reply;
    await sleep(100);
  }
  return await explain();
}
