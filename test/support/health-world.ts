import { Resolver } from 'node:dns/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { EnrolmentCodeReply } from '../../common/contract/credentials.ts';
import { PathwayHealth } from '../../common/contract/health.ts';
import { SteeringStatus } from '../../common/contract/steering.ts';
import { parseAs } from '../../common/runtime/parse.ts';
import { startPlane, temporaryDir, type TestPlane } from '../control-plane/support/control-plane.ts';
import { startBox, type BoxProcess } from './appliance/box-process.ts';
import { startSteering, until, type SteeringProcess } from './steering-process.ts';

export interface BoxOptions {
  readonly site?: string;
  readonly more?: readonly string[];
  /** Where it reaches the control plane, if not as the others do. */
  readonly controlUrl?: string;
  /** A command that becomes the box. */
  readonly by?: readonly string[];
}

/** A control plane, and boxes and steering nodes as processes of their own that have joined it. */
export interface HealthWorld {
  readonly plane: TestPlane;
  /** Where each has its data, in a directory of its name. */
  readonly dataDir: string;
  startBox(name: string, options?: BoxOptions): Promise<BoxProcess>;
  startSteering(
    name: string,
    more?: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<SteeringProcess>;
}

export async function startHealthWorld(
  t: Test,
  { flags = [] }: { flags?: readonly string[] } = {},
): Promise<HealthWorld> {
  const dataDir = await temporaryDir(t);
  const plane = await startPlane(t, { dataDir, flags });
  const codeOf = async (body: object): Promise<string> =>
    (await plane.call('POST /v1/enrolment-codes', { body })).as(EnrolmentCodeReply).code;
  return {
    plane,
    dataDir,
    async startBox(name, { site = 'site-a', more = [], by = [], controlUrl = plane.url } = {}) {
      const code = await codeOf({ role: 'appliance', name, site });
      const argv = ['--data-dir', join(dataDir, name), '--control-url', controlUrl, '--port', '0'];
      const small = ['--reserve-bytes', '0', '--workers', '0', '--enrolment-code', code];
      return startBox(t, [...argv, ...small, ...more], by);
    },
    async startSteering(name, more = [], env = undefined) {
      const code = await codeOf({ role: 'steering', name });
      const steering = await startSteering({
        ...{ dataDir: join(dataDir, name), controlUrl: plane.url, code, env },
        // Boxes of a machine that runs all tests at a time are often full.
        more: ['--headroom-min', '0', ...more],
      });
      t.teardown(() => steering.stop('SIGKILL'));
      return steering;
    },
  };
}

/** Asks a steering node as the operator. */
async function ask(plane: TestPlane, url: string): Promise<unknown> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${plane.operator}` } });
  return response.json();
}

export async function healthOf(plane: TestPlane, node: SteeringProcess, box: string): Promise<PathwayHealth> {
  const found = await ask(plane, `${node.url}/v1/pathways/${box}/health`);
  return parseAs(PathwayHealth, found, { what: `the health of ${box}` });
}

export async function statusOf(plane: TestPlane, node: SteeringProcess): Promise<SteeringStatus> {
  return parseAs(SteeringStatus, await ask(plane, `${node.url}/v1/status`), { what: 'the status' });
}

/** Waits until all of these boxes are up, with a stream to each of the nodes, and the nodes see one another. */
export async function untilWell(
  plane: TestPlane,
  nodes: readonly SteeringProcess[],
  boxes: readonly string[],
): Promise<void> {
  for (const node of nodes) {
    await until(`${boxes.join()} at ${node.url}`, async () => {
      const { pathways, peers = [] } = await statusOf(plane, node);
      const well = pathways.filter(({ healthy, stream }) => healthy && stream === 'live');
      const seen = peers.filter(({ fresh }) => fresh);
      return boxes.every((box) => well.some(({ id }) => id === box)) && seen.length === nodes.length - 1;
    });
  }
}

/** The boxes' addresses that a node answers for the steered name, sorted; none where it answers none. */
export async function answered(node: SteeringProcess, family: 4 | 6 = 4): Promise<string[]> {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  resolver.setServers([`127.0.0.1:${node.dnsPort}`]);
  const name = 'play.steer.nearcast.test';
  const found = family === 4 ? resolver.resolve4(name) : resolver.resolve6(name);
  return (await found.catch(() => [])).sort();
}

/** Waits for the first answer without this address, and tells how long that took: to be reported, not judged. */
export async function untilLeft(node: SteeringProcess, address: string, startedMs: number): Promise<number> {
  await until(`an answer without ${address}`, async () => {
    const addresses = await answered(node);
    return addresses.length > 0 && !addresses.includes(address);
  });
  return Math.round(performance.now() - startedMs);
}
