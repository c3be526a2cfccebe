import { documentTypes, FillManifest } from '../../../common/contract/documents.ts';
import {
  enrolNode,
  openSigned,
  startPlane,
  temporaryDir,
  type Answer,
  type TestNode,
  type TestPlane,
} from './control-plane.ts';

/** A control plane with nodes that call it. */
export interface Fleet {
  plane: TestPlane;
  encoder: TestNode;
  origin: TestNode;
  a1: TestNode;
  a2: TestNode;
  b1: TestNode;
  steering: TestNode;
}

/** Two boxes in a cluster of one ISP, one in another's, an origin: the demo's fleet. */
export async function startFleet(t: Parameters<typeof startPlane>[0], flags: string[] = []): Promise<Fleet> {
  const dataDir = await temporaryDir(t);
  const plane = await startPlane(t, { dataDir, flags: ['--ingest-roots', dataDir, ...flags] });
  const box = (name: string, site: string) => enrolNode(plane, name, { site });
  const fleet = {
    plane,
    encoder: await enrolNode(plane, 'encoder', { role: 'encoder' }),
    origin: await enrolNode(plane, 'origin', { role: 'origin', site: 'origin' }),
    steering: await enrolNode(plane, 'steering', { role: 'steering' }),
    a1: await box('isp-a-1', 'isp-a'),
    a2: await box('isp-a-2', 'isp-a'),
    b1: await box('isp-b-1', 'isp-b'),
  };
  for (const node of [fleet.origin, fleet.a1, fleet.a2, fleet.b1]) await node.beat();
  return fleet;
}

/** The manifest of a node as it comes over the wire. */
export function pollManifest(node: TestNode, after = 0, waitMs = 3000): Promise<Answer> {
  return node.call(`GET /v1/nodes/${node.id}/fill-manifest?after=${String(after)}&waitMs=${String(waitMs)}`);
}

/** The first manifest that names files. */
export async function manifestWithFiles(plane: TestPlane, node: TestNode, count: number) {
  let after = 0;
  for (;;) {
    const answer = await pollManifest(node, after);
    if (answer.status !== 200) throw new Error(`no manifest of ${String(count)} files for ${node.id}`);
    const typ = documentTypes.fillManifest;
    const manifest = await openSigned(plane, answer.text, { typ, schema: FillManifest, audience: node.id });
    if (manifest.body.files.length === count) return manifest;
    after = manifest.sequence;
  }
}
