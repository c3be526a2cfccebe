import { readFile, stat, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import acme from 'acme-client';
import t from 'tap';

import { NodeList } from '../../../common/contract/nodes.ts';
import { startBox } from '../../support/appliance/box-process.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';
import { startAcmeServer } from '../../support/acme-server.ts';
import { freePort } from '../../support/free-port.ts';
import { startHealthWorld, untilWell } from '../../support/health-world.ts';

t.setTimeout(120_000);
const zone = 'steer.nearcast.test';

/** The certificate that a box shows under its name to who trusts this root alone; undefined where that does not vouch for it. */
function shownTo(root: string, url: string): Promise<PeerCertificate | undefined> {
  const { hostname: servername, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(port), servername, ca: root }, () => {
      resolve(socket.getPeerCertificate());
      socket.end();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'DEPTH_ZERO_SELF_SIGNED_CERT') resolve(undefined);
      else reject(error);
    });
  });
}

t.test('an authority certifies a box through the steering zone, and its keys stay with it', async (t) => {
  const folder = await temporaryDirectory(t);
  const dnsPort = await freePort();
  const authority = await startAcmeServer(t, { folder, dnsPort, lifeS: 86_400 });
  if (typeof authority === 'string') {
    t.pass('certified', { skip: authority });
    return;
  }
  acme.axios.defaults.httpsAgent = new Agent({ ca: authority.ca });
  const root = await authority.root();
  const rootFile = join(folder, 'root.crt');
  await writeFile(rootFile, root);
  const terms = ['--acme-terms-agreed', '--acme-contact', 'noc@nearcast.test'];
  const flags = ['--acme-directory', authority.directory, '--acme-zone', zone, ...terms];
  const { plane, dataDir, ...world } = await startHealthWorld(t, { flags });
  const box = await world.startBox('isp-a-1', { more: ['--tls-auto'] });
  t.match(box.url, /^https:\/\/isp-a-1\.steer\.nearcast\.test:\d+$/);
  const reasons = async (): Promise<string> => {
    const { nodes } = (await plane.call('GET /v1/nodes', { token: plane.operator })).as(NodeList);
    return nodes.find(({ id }) => id === 'isp-a-1')?.reasons.join('\n') ?? '';
  };
  await until(async () => /^UNAVAILABLE: no steering node/m.test(await reasons()), 60_000);
  t.match(await reasons(), /^TLS_CERTIFICATE_PENDING$/m);
  t.equal(await shownTo(root, box.url), undefined, 'nobody vouches for it yet');

  const dns = ['--dns-port', String(dnsPort), '--zone', zone];
  const steering = await world.startSteering('steering-1', dns, { NODE_EXTRA_CA_CERTS: rootFile });
  await until(async () => (await shownTo(root, box.url)) !== undefined, 60_000);
  await untilWell(plane, [steering], ['isp-a-1']);
  const certified = await shownTo(root, box.url);
  t.equal(certified?.subjectaltname, `DNS:isp-a-1.${zone}`);
  await until(async () => !/PENDING|UNAVAILABLE/.test(await reasons()), 60_000);
  const secrets = [join('isp-a-1', 'tls', 'box.key'), join('keys', 'acme-account.pem')];
  for (const path of secrets) t.equal((await stat(join(dataDir, path))).mode & 0o777, 0o600, path);
  const key = await readFile(join(dataDir, 'isp-a-1', 'tls', 'box.key'), 'utf8');
  const body = key.split('\n')[1] ?? '';
  t.notOk([...authority.lines, ...box.lines].some((line) => line.includes(body)));

  await box.kill('SIGTERM');
  const issued = () => authority.lines.filter((line) => /issued certificate serial/i.test(line)).length;
  const before = issued();
  const kept = ['--data-dir', join(dataDir, 'isp-a-1'), '--control-url', plane.url, '--port', '0'];
  const again = await startBox(t, [...kept, '--reserve-bytes', '0', '--workers', '0', '--tls-auto']);
  t.equal((await shownTo(root, again.url))?.serialNumber, certified?.serialNumber, 'kept over a restart');
  t.equal(issued(), before);
});

t.test('without an authority a box that is to be certified says so and ends', async (t) => {
  const { startBox } = await startHealthWorld(t);
  await t.rejects(startBox('isp-a-1', { more: ['--tls-auto'] }), { message: /CERTIFICATES_OFF/ });
});
