import { join } from 'node:path';
import t, { type Test } from 'tap';
import { request } from 'undici';

import { EnrolmentCodeReply } from '../../common/contract/credentials.ts';
import { ExplainReply } from '../../common/contract/steering.ts';
import { parseAs } from '../../common/runtime/parse.ts';
import { temporaryDir, type TestPlane } from '../control-plane/support/control-plane.ts';
import { startEitherWay } from '../control-plane/support/either-way.ts';
import { startBox } from '../support/appliance/box-process.ts';
import { birdLabMissing, startBirdLab, type BirdLab, type IspRoutes } from '../support/bird-lab.ts';
import { startSteering, until } from '../support/steering-process.ts';

const missing = await birdLabMissing();
const bundle = '0'.repeat(64);
const [ipv4, ipv6] = ['203.0.113.9', '2001:db8:1::9'];
const first: IspRoutes = { prefixes4: ['203.0.113.0/24'], prefixes6: ['2001:db8:1::/48'] };

type Candidate = ExplainReply['candidates'][number];

/** How a box reaches a client, as steering explains it: undefined where no route of it does. */
type Reach = { length: number; asPathLength: number; med: number; class: string } | undefined;

interface Chain {
  reach(box: string, client: string): Promise<Reach>;
  /** The filter that removes a box for a client, whatever it asks for. */
  removedBy(box: string, client: string): Promise<string | null | undefined>;
}

async function codeOf(plane: TestPlane, body: object): Promise<string> {
  return (await plane.call('POST /v1/enrolment-codes', { body })).as(EnrolmentCodeReply).code;
}

/** The whole way: BIRD, boxes, control plane, steering. `patient` keeps the routes of a lost session. */
async function startChain(t: Test, lab: BirdLab): Promise<Chain> {
  const plane = await startEitherWay(t);
  const dir = await temporaryDir(t);
  const boxes = { hasty: '0', patient: '60000' };
  for (const [name, restartMs] of Object.entries(boxes)) {
    const code = await codeOf(plane, { role: 'appliance', name, site: name, cluster: name });
    const box = ['--data-dir', join(dir, name), '--control-url', plane.url, '--enrolment-code', code];
    const bgp = ['--bgp-bird-socket', lab.socket, '--bgp-restart-ms', restartMs];
    const classes = ['--bgp-classes', '65001:300=public'];
    await startBox(t, [...box, ...bgp, ...classes, '--port', '0', '--reserve-bytes', '0', '--workers', '0']);
  }
  const code = await codeOf(plane, { role: 'steering', name: 'steering' });
  const steering = await startSteering({ dataDir: join(dir, 'steering'), controlUrl: plane.url, code });
  t.teardown(() => steering.stop('SIGKILL'));
  const explained = async (box: string, query: string): Promise<Candidate | undefined> => {
    const { body, statusCode } = await request(`${steering.url}/v1/explain?${query}`, {
      headers: { authorization: `Bearer ${plane.operator}` },
    });
    const json = await body.json();
    if (statusCode !== 200) return undefined;
    const { candidates } = parseAs(ExplainReply, json, { what: 'the explanation' });
    return candidates.find(({ id }) => id === box);
  };
  return {
    removedBy: async (box, client) => (await explained(box, `client=${client}`))?.removedBy,
    async reach(box, client) {
      const keys = (await explained(box, `client=${client}&bundle=${bundle}`))?.keys;
      if (keys === undefined || keys.prefixLength <= 0) return undefined;
      const { prefixLength: length, asPathLength, med } = keys;
      return { length, asPathLength, med, class: keys.class };
    },
  };
}

t.test(
  'steering follows what BIRD hears: announced, prepended, MED, withdrawn, lost, restarted, by IPv4 and IPv6',
  { skip: missing ?? false, timeout: 240_000 },
  async (t) => {
    const lab = await startBirdLab(first);
    t.teardown(() => lab.close());
    const chain = await startChain(t, lab);
    /** Waits for steering to see it and says how long that took; the time is told, not judged. */
    const follows = async (
      what: string,
      [box, client]: readonly [string, string],
      isSo: (reach: Reach) => boolean,
    ): Promise<void> => {
      const startMs = performance.now();
      await until(what, async () => isSo(await chain.reach(box, client)));
      t.pass(`${what}: steering follows after ${Math.round(performance.now() - startMs)} ms`);
    };

    await follows('IPv4 announced', ['hasty', ipv4], (reach) => reach?.length === 24);
    await follows('IPv6 announced', ['hasty', ipv6], (reach) => reach?.length === 48);
    await follows('the other box too', ['patient', ipv4], (reach) => reach?.length === 24);
    t.same(await chain.reach('hasty', ipv4), { length: 24, asPathLength: 1, med: 0, class: 'embedded' });

    await lab.announce({ ...first, filter: 'bgp_path.prepend(65001); bgp_path.prepend(65001);' });
    await follows('prepended', ['hasty', ipv4], (reach) => reach?.asPathLength === 3);
    await lab.announce({ ...first, filter: 'bgp_med = 70; bgp_community.add((65001,300));' });
    await follows('MED and class', ['hasty', ipv6], (reach) => reach?.med === 70 && reach.class === 'public');
    await lab.announce({ ...first, prefixes4: ['203.0.113.0/24', '203.0.113.0/26'] });
    await follows('a more-specific', ['hasty', ipv4], (reach) => reach?.length === 26);
    await lab.announce({ ...first, prefixes4: ['198.51.100.0/24'] });
    await follows('withdrawn', ['hasty', ipv4], (reach) => reach === undefined);
    await lab.announce(first);
    await follows('announced again', ['patient', ipv4], (reach) => reach?.length === 24);

    await lab.kill('isp');
    await follows('the session lost', ['hasty', ipv4], (reach) => reach === undefined);
    t.equal((await chain.reach('patient', ipv4))?.length, 24, 'kept for a graceful restart');
    const stranger = '192.0.2.1';
    t.equal(await chain.removedBy('hasty', stranger), 'no-route', 'nor does it serve whom no route reaches');
    await lab.start('isp');
    await follows('the session back', ['hasty', ipv4], (reach) => reach?.length === 24);
    await lab.setLine('down');
    await follows('the line cut', ['hasty', ipv6], (reach) => reach === undefined);
    t.equal((await chain.reach('patient', ipv6))?.length, 48);
  },
);
