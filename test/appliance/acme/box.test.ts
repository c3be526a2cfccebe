import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import t from 'tap';

import { NodeList } from '../../../common/contract/nodes.ts';
import { startBox } from '../../support/appliance/box-process.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { startAcmeServer } from '../../support/acme-server.ts';
import { freePort } from '../../support/go-tool.ts';
import { startHealthWorld, untilWell } from '../../support/health-world.ts';

t.setTimeout(300_000);
const zone = 'steer.nearcast.test';
const terms = ['--acme-terms-agreed', '--acme-contact', 'noc@isp-a.test'];

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

t.test('an authority certifies a box through the steering zone', async (t) => {
  const { plane, dataDir, ...world } = await startHealthWorld(t);
  const dnsPort = await freePort();
  const authority = await startAcmeServer(t, { folder: dataDir, dnsPort, lifeS: 86_400 });
  if (typeof authority === 'string') {
    t.pass('certified', { skip: authority });
    return;
  }
  const root = await authority.root();
  const rootFile = join(dataDir, 'root.crt');
  await writeFile(rootFile, root);
  const dns = ['--dns-port', String(dnsPort), '--zone', zone];
  const steering = await world.startSteering('steering-1', dns, { NODE_EXTRA_CA_CERTS: rootFile });
  const acme = ['--acme-directory', authority.directory, '--acme-zone', zone, ...terms];
  const by = ['env', `NODE_EXTRA_CA_CERTS=${authority.caFile}`];
  const box = await world.startBox('isp-a-1', { more: acme, by });
  t.match(box.url, /^https:\/\/isp-a-1\.steer\.nearcast\.test:\d+$/);
  await untilWell(plane, [steering], ['isp-a-1']);
  const first = await shownTo(root, box.url);
  t.equal(first?.subjectaltname, `DNS:isp-a-1.${zone}`);
  for (const file of ['account.pem', 'box.key', 'box.crt'])
    t.equal((await stat(join(dataDir, 'isp-a-1', 'acme', file))).mode & 0o777, 0o600, file);
  const reasonsOf = async (name: string): Promise<string> => {
    const { nodes } = (await plane.call('GET /v1/nodes', { token: plane.operator })).as(NodeList);
    return nodes.find(({ id }) => id === name)?.reasons.join('\n') ?? '';
  };
  await until(async () => !/PENDING|ACME/.test(await reasonsOf('isp-a-1')));

  const foreign = ['--acme-directory', authority.directory, '--acme-zone', 'other.test', ...terms];
  const lost = await world.startBox('isp-a-2', { more: foreign, by });
  const refused = /^ACME_ORDER_FAILED: .*isp-a-2\.other/m;
  await until(async () => refused.test(await reasonsOf('isp-a-2')), 120_000);
  t.match(await reasonsOf('isp-a-2'), /^TLS_CERTIFICATE_PENDING$/m);
  t.equal(await shownTo(root, lost.url), undefined, 'nobody vouches for it');
  t.equal(await lost.kill('SIGTERM'), 0);

  await box.kill('SIGTERM');
  const issued = () => authority.lines.filter((line) => /issued certificate serial/i.test(line)).length;
  const before = issued();
  const again = await startBox(
    t,
    [
      ...['--data-dir', join(dataDir, 'isp-a-1'), '--control-url', plane.url, '--port', '0'],
      ...['--reserve-bytes', '0', '--workers', '0', ...acme],
    ],
    by,
  );
  t.equal((await shownTo(root, again.url))?.serialNumber, first?.serialNumber, 'kept over a restart');
  t.equal(issued(), before);
});
