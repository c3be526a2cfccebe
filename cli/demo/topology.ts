import type { NodeRole } from '../../common/contract/primitives.ts';

/** One enrolled process of the demo. */
export interface DemoNode {
  readonly name: string;
  readonly role: NodeRole;
  readonly site?: string;
  readonly cluster?: string;
  /** Its own loopback address; the port is of its kind. */
  readonly host: string;
  readonly port: number;
  /** Prefixes that it announces, with the class of the way. */
  readonly routes?: readonly {
    prefix: string;
    asPathLength: number;
    class: 'embedded' | 'private' | 'public';
  }[];
}

/** Clients whose steering is explained; documentation prefixes (RFC 5737, RFC 3849) stand for the ISPs' customers. */
export const demoClients = [
  { address: '198.51.100.23', where: 'in ISP A' },
  { address: '203.0.113.42', where: 'in ISP B' },
  { address: '192.0.2.99', where: 'in neither' },
] as const;

const ispA = [
  { prefix: '198.51.100.0/24', asPathLength: 0, class: 'embedded' },
  { prefix: '2001:db8:a::/48', asPathLength: 0, class: 'embedded' },
  // The person at this machine is a customer of ISP A, so that the film in the browser comes from its boxes.
  { prefix: '127.0.0.0/8', asPathLength: 0, class: 'embedded' },
] as const;
const ispB = [
  { prefix: '203.0.113.0/24', asPathLength: 0, class: 'embedded' },
  { prefix: '2001:db8:b::/48', asPathLength: 0, class: 'embedded' },
] as const;

/** Where everything of one demo listens. */
export interface Topology {
  readonly controlUrl: string;
  readonly controlPort: number;
  /** Services of the control plane that run each in a process of its own, with their ports. */
  readonly apart: readonly { readonly name: string; readonly port: number }[];
  readonly steeringUrl: string;
  readonly dns: { readonly host: string; readonly port: number; readonly zone: string };
  readonly nodes: readonly DemoNode[];
}

const loopback = '127.0.0.1';

/**
 * Two boxes in a cluster of ISP A, one in ISP B, an origin, a steering node and an encoder. `portOffset` moves every
 * port, so that a second system may run beside the first.
 */
export function createTopology(portOffset: number): Topology {
  const at = (port: number) => port + portOffset;
  const boxA = { role: 'appliance', site: 'isp-a', cluster: 'isp-a', port: at(8080), routes: ispA } as const;
  return {
    controlUrl: `http://${loopback}:${at(7070)}`,
    controlPort: at(7070),
    apart: [],
    steeringUrl: `http://${loopback}:${at(7071)}`,
    dns: { host: loopback, port: at(7053), zone: 'steer.nearcast.test' },
    nodes: [
      { name: 'steering', role: 'steering', host: loopback, port: at(7071) },
      { name: 'encoder', role: 'encoder', host: loopback, port: at(7072) },
      { name: 'origin', role: 'origin', site: 'origin', cluster: 'origin', host: loopback, port: at(7080) },
      { ...boxA, name: 'isp-a-1', host: '127.0.1.1' },
      { ...boxA, name: 'isp-a-2', host: '127.0.1.2' },
      { ...boxA, name: 'isp-b-1', host: '127.0.2.1', site: 'isp-b', cluster: 'isp-b', routes: ispB },
    ],
  };
}
