import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { latencyBoundsUs } from '../../../appliance/engine/native-counters.ts';
import { Pseudonyms } from '../../../appliance/records/address-key.ts';
import type { AccessLogOptions } from '../../../appliance/records/config.ts';
import { ServingRecording } from '../../../appliance/records/serving-recording.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';
import { putFile, seededBytes, testBundle, testFile, testToken } from '../../support/appliance/content.ts';
import {
  engineKinds,
  temporaryDirectory,
  testDisk,
  testEngine,
  type EngineKind,
} from '../../support/appliance/serving-box.ts';

type Line = Readonly<Record<string, unknown>>;

const addressKey = Buffer.alloc(32, 3);
const defaults = { enabled: true, addresses: true, fileBytesMax: 2 ** 20, filesMax: 1 };

/** A box with everything that serving leaves behind. */
async function makeBox(test: Test, kind: EngineKind, options: Partial<AccessLogOptions> = {}) {
  const dataDir = await temporaryDirectory(test);
  const { disk } = await testDisk(join(dataDir, 'disk'));
  test.teardown(() => disk.close());
  const film = testFile(seededBytes(300_000, 1));
  const bundle = testBundle([film]);
  for (const file of [film, bundle]) await putFile(disk, file);
  const metrics = createMetrics({ name: 'box-1', version: '0' });
  const served = new Map<string, number>();
  const recording = new ServingRecording({
    dataDir,
    accessLog: { ...defaults, ...options },
    metrics,
    onServed: (file, scope, bytes) =>
      served.set(`${scope} ${file}`, (served.get(`${scope} ${file}`) ?? 0) + bytes),
    clock: createSystemClock(),
    log: createSilentLog(),
  });
  const box = await testEngine(test, { content: disk, kind, recording });
  if (options.addresses !== false) {
    recording.setAddressKey(addressKey);
    box.engine.setAddressKey(addressKey);
  }
  const token = testToken(box.key, { bundle: bundle.file });
  const path = `/v1/${token}/${film.file}.mp4`;
  const end = async (): Promise<{ text: string; lines: Line[]; metrics: string }> => {
    await box.engine.close(1000);
    await recording.close();
    const text = await readFile(join(dataDir, 'logs', 'access.log'), 'utf8').catch(() => '');
    const lines = text.split('\n').slice(0, -1);
    return { text, lines: lines.map((line) => JSON.parse(line) as Line), metrics: await metrics.text() };
  };
  return { ...box, film, bundle, token, path, served, end };
}

async function get(url: string, init: RequestInit = {}): Promise<number> {
  const answer = await fetch(url, init);
  await answer.arrayBuffer();
  return answer.status;
}

for (const kind of engineKinds) {
  void t.test(
    `${kind}: every request leaves a line, with the same keys whichever engine answers`,
    async (test) => {
      const box = await makeBox(test, kind);
      const cmcd = encodeURIComponent('br=3200,bs,mtp=25400,ot=v,sid="0815",nor="x.mp4",su');
      const url = box.url + box.path;
      test.equal(await get(`${url}?CMCD=${cmcd}`, { headers: { range: 'bytes=100-299' } }), 206);
      test.equal(
        await get(url, { headers: { 'cmcd-request': 'mtp=800,bl=9', 'cmcd-object': 'br=64' } }),
        200,
      );
      test.equal(await get(url, { method: 'HEAD' }), 200);
      test.equal(await get(url, { headers: { 'if-none-match': `"${box.film.file}"` } }), 304);
      test.equal(await get(url, { headers: { range: 'bytes=999999-' } }), 416);
      const foreign = testToken(generateKey(), { bundle: box.film.file });
      test.equal(await get(`${box.url}/v1/${foreign}/${box.film.file}.mp4`), 403);
      test.equal(await get(`${box.url}/elsewhere`), 404);
      const { text, lines, metrics } = await box.end();

      const { file } = box.film;
      const byStatus = (status: number): Line[] => lines.filter((line) => line['status'] === status);
      const [part = {}] = byStatus(206);
      test.match(part, {
        time: /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
        ...{ file, ext: 'mp4', range: [100, 299], sent: 200, ms: Number, ttfbMs: Number, scope: 'play' },
        cmcd: { br: 3200, bs: true, mtp: 25_400, ot: 'v', su: true },
      });
      const order = 'time file ext status range sent ms ttfbMs cache scope client cmcd'.split(' ');
      test.same(Object.keys(part), order);
      test.same(Object.keys(part['cmcd'] as object).toSorted(), ['br', 'bs', 'mtp', 'ot', 'su']);
      // The first with CMCD waits for its decoder.
      const [whole, head] = byStatus(200).toSorted((a, b) => Number(a['head'] ?? 0) - Number(b['head'] ?? 0));
      test.match(whole, { range: [0, 299_999], sent: 300_000, cmcd: { mtp: 800, bl: 9, br: 64 } });
      test.match(head, { head: true, sent: 0 });
      test.match(byStatus(304), [{ file, sent: 0 }]);
      test.match(byStatus(416), [{ file, sent: 0 }]);
      test.match(byStatus(403), [{ file, sent: 0 }]);
      test.match(byStatus(404), [{ sent: 0 }]);
      test.equal(lines.length, 7);

      const pseudonyms = new Pseudonyms();
      pseudonyms.setKey(addressKey);
      test.ok(lines.every((line) => line['client'] === pseudonyms.of('127.0.0.1')));
      test.notMatch(text, box.token, 'a token is a credential');
      test.notMatch(text, foreign);
      test.notMatch(text, '127.0.0.1');
      test.notMatch(text, '0815');

      test.same([...box.served], [[`play ${file}`, 300_200]]);
      test.match(metrics, 'nearcast_sent_bytes_total{scope="play"} 300200');
      for (const [status, count] of [...Object.entries({ 206: 1, 200: 2, 304: 1, 416: 1, 403: 1, 404: 1 })]) {
        test.ok(metrics.includes(`nearcast_requests_total{status="${status}"} ${count}\n`), status);
      }
      test.match(metrics, 'nearcast_request_seconds_count 7\n');
      test.match(metrics, 'nearcast_first_byte_seconds_bucket{le="+Inf"} 7\n');
      test.equal(metrics.match(/nearcast_request_seconds_bucket/g)?.length, latencyBoundsUs.length + 1);
      test.match(metrics, 'nearcast_cmcd_reports_total 2\n');
      test.match(metrics, 'nearcast_cmcd_starvations_total 1\n');
      test.match(metrics, 'nearcast_cmcd_startups_total 1\n');
      test.match(metrics, 'nearcast_cmcd_throughput_bits_per_second_sum 26200000\n');
      test.match(metrics, 'nearcast_dropped_records_total{why="ring"} 0\n');
    },
  );

  void t.test(
    `${kind}: what is asked for on each kind of token is logged and counted as that`,
    async (test) => {
      const box = await makeBox(test, kind);
      const { file } = box.film;
      const tokens = {
        play: box.token,
        fill: testToken(box.key, { scope: 'fill', appliance: 'isp-a-1' }),
        picture: testToken(box.key, { scope: 'picture', bundle: box.bundle.file }),
      };
      const wanted = { play: 100, fill: 20, picture: 3 };
      for (const [scope, bytes] of Object.entries(wanted) as [keyof typeof wanted, number][]) {
        const range = `bytes=0-${bytes - 1}`;
        const url = `${box.url}/v1/${tokens[scope]}/${file}.mp4`;
        test.equal(await get(url, { headers: { range } }), 206);
        test.equal(await get(url, { headers: { range } }), 206, 'and once its token is known');
      }
      const { lines, metrics } = await box.end();
      const scopes = ['fill', 'fill', 'picture', 'picture', 'play', 'play'];
      test.same(lines.map(({ scope }) => String(scope)).toSorted(), scopes);
      for (const [scope, bytes] of Object.entries(wanted)) {
        test.equal(box.served.get(`${scope} ${file}`), 2 * bytes);
        test.match(metrics, `nearcast_sent_bytes_total{scope="${scope}"} ${2 * bytes}\n`);
      }
      test.equal(box.served.size, 3);
    },
  );

  void t.test(`${kind}: the log and its pseudonyms can be off; what is counted stays`, async (test) => {
    const silent = await makeBox(test, kind, { enabled: false });
    await get(silent.url + silent.path);
    const off = await silent.end();
    test.equal(off.text, '');
    test.match(off.metrics, 'nearcast_requests_total{status="200"} 1\n');
    const bare = await makeBox(test, kind, { addresses: false });
    await get(bare.url + bare.path);
    test.notOk('client' in ((await bare.end()).lines[0] ?? { client: 1 }));
  });
}
