// `plane.ts TITLES VIEWERS [FLAG…]`: a real control plane with an origin and live titles; prints where it is and what viewers ask with as
// one line of JSON, and runs until its standard input ends.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

import { AccessTokenReply } from '../../../common/contract/credentials.ts';
import { TitleList } from '../../../common/contract/titles.ts';
import { addTitle } from '../../control-plane/support/add-title.ts';
import { enrolNode, eventually, startPlane } from '../../control-plane/support/control-plane.ts';

/** What the program prints. */
export interface PlaneReady {
  readonly url: string;
  readonly titles: readonly string[];
  /** Access tokens, each of another viewer. */
  readonly viewers: readonly string[];
}

const [titleCount = '1', viewerCount = '1', ...flags] = process.argv.slice(2);
const dataDir = await mkdtemp(join(tmpdir(), 'bench-gateway-'));
const ends: (() => unknown)[] = [];
const held = { teardown: (end: () => unknown) => ends.unshift(end) } as unknown as Test;
const plane = await startPlane(held, {
  dataDir,
  // One report of the origin is to do for the whole run.
  flags: ['--ingest-roots', dataDir, '--lease-ms', '1h', ...flags],
});
const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
const origin = await enrolNode(plane, 'origin', { role: 'origin' });
const beat = await origin.beat();
if (beat.status !== 200) throw new Error(beat.text);
const titles: string[] = [];
for (let at = 0; at < Number(titleCount); at++)
  titles.push((await addTitle(plane, encoder, { name: `Title ${at}` })).id);
const viewers: string[] = [];
for (let at = 0; at < Number(viewerCount); at++) {
  const body = { role: 'viewer', sub: `viewer-${at}`, ttlS: 86_400 };
  viewers.push((await plane.call('POST /v1/access-tokens', { body })).as(AccessTokenReply).token);
}
const [viewer] = viewers;
const seen = async () =>
  (await plane.call('GET /v1/titles?limit=1000', { token: viewer })).as(TitleList).titles.length;
if ((await eventually(seen, (count) => count === titles.length)) !== titles.length)
  throw new Error('the titles are not live');
const ready: PlaneReady = { url: plane.url, titles, viewers };
process.stdout.write(`${JSON.stringify(ready)}\n`);
process.stdin.resume();
await once(process.stdin, 'end');
for (const end of ends) await end();
await rm(dataDir, { recursive: true, force: true });
