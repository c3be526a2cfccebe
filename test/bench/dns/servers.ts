import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort } from '../../support/free-port.ts';
import { pinnedTo, start, type Started } from '../serve/server.ts';
import { addressesOf, makeNets, sites, steeredName, ttlS, zone } from './world.ts';

/** A server under test. */
export interface DnsPeer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** All servers are alive at one time, on one core; only the one that is asked works. */
const cpu = 0;
/** Boxes of an answer. */
const answers = 2;

/** What is said about the peers in the report. */
export function peerVersions(): string {
  const versions = execFileSync(
    'dpkg-query',
    ['-W', '-f', '${Package} ${Version}\n', 'gdnsd', 'pdns-server'],
    {
      encoding: 'utf8',
    },
  );
  return versions.trim().replaceAll('\n', ', ');
}

export async function startOurs(prefixes: number): Promise<DnsPeer> {
  const entry = new URL('ours.ts', import.meta.url).pathname;
  const started = start([...pinnedTo(cpu), process.execPath, entry, String(prefixes)]);
  const { stdout } = started.child;
  if (stdout === null) throw new Error('ours has no output');
  const [line] = (await once(createInterface(stdout), 'line')) as [string];
  const { port } = JSON.parse(line) as { port: number };
  return { name: 'ours', port, pid: started.pid, stop: started.stop };
}

/** gdnsd with its geoip plugin and a nets file. */
export async function startGdnsd(directory: string, prefixes: number): Promise<DnsPeer> {
  const port = await freePort();
  for (const folder of ['zones', 'geoip', 'run', 'state'])
    await mkdir(join(directory, folder), { recursive: true });
  const names = Array.from({ length: sites }, (_, site) => `dc${site}`);
  const dcmap = names.map((name, site) => `${name} => [${addressesOf(site).slice(0, answers).join(', ')}]`);
  await writeFile(
    join(directory, 'config'),
    `options => { listen => 127.0.0.1, dns_port => ${port}, udp_threads => 1, tcp_threads => 1,
  run_dir => ${directory}/run, state_dir => ${directory}/state }
plugins => { geoip => {
  maps => { m => { nets => nets, datacenters => [${names.join(', ')}] } }
  resources => { play => { map => m, service_types => up, dcmap => { ${dcmap.join(', ')} } } }
} }\n`,
  );
  await writeFile(
    join(directory, 'geoip/nets'),
    makeNets(prefixes)
      .map(({ prefix, site }) => `${prefix} => dc${site}\n`)
      .join(''),
  );
  await writeFile(
    join(directory, 'zones', zone),
    `@ SOA ns1 hostmaster ( 1 3600 600 86400 5 )\n@ NS ns1\nns1 A 127.0.0.1\n${steeredName} ${ttlS} DYNA geoip!play\n`,
  );
  return untilAnswering('gdnsd', port, start([...pinnedTo(cpu), 'gdnsd', '-c', directory, 'start']));
}

/** PowerDNS with its GeoIP backend; its answers come from its caches where they can. */
export async function startPowerDns(directory: string, prefixes: number): Promise<DnsPeer> {
  const port = await freePort();
  await mkdir(directory, { recursive: true });
  const records = Array.from({ length: sites }, (_, site) => {
    const lines = addressesOf(site)
      .slice(0, answers)
      .map((address) => `      - a: ${address}\n`);
    return `    dc${site}.${zone}:\n${lines.join('')}`;
  });
  const services = makeNets(prefixes).map(({ prefix, site }) => `      ${prefix}: [ 'dc${site}.${zone}' ]\n`);
  await writeFile(
    join(directory, 'zones.yaml'),
    `domains:\n- domain: ${zone}\n  ttl: ${ttlS}\n  records:\n    ${zone}:
      - soa: ns1.${zone} hostmaster.${zone} 1 3600 600 86400 5\n      - ns: ns1.${zone}\n${records.join('')}  services:
    ${steeredName}.${zone}:\n      default: [ 'dc0.${zone}' ]\n${services.join('')}`,
  );
  const settings = [
    ...['launch=geoip', `geoip-zones-file=${directory}/zones.yaml`, 'geoip-database-files='],
    ...[
      'edns-subnet-processing=yes',
      'local-address=127.0.0.1',
      `local-port=${port}`,
      `socket-dir=${directory}`,
    ],
    ...['receiver-threads=1', 'distributor-threads=1', 'disable-syslog=yes', 'loglevel=3'],
  ];
  await writeFile(join(directory, 'pdns.conf'), `${settings.join('\n')}\n`);
  const command = ['pdns_server', `--config-dir=${directory}`, '--daemon=no', '--guardian=no'];
  return untilAnswering('PowerDNS', port, start([...pinnedTo(cpu), ...command]));
}

async function untilAnswering(name: string, port: number, started: Started): Promise<DnsPeer> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      const args = ['@127.0.0.1', '-p', `${port}`, '+tries=1', '+time=1', '+short', `${steeredName}.${zone}`];
      if (execFileSync('dig', args, { encoding: 'utf8' }).includes('192.0.'))
        return { name, port, pid: started.pid, stop: started.stop };
    } catch {
      // Not yet: dig says so by its exit code.
    }
    await sleep(100);
  }
  throw new Error(`${name} does not answer`);
}
