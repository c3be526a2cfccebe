import { Type, type Static } from '../contract/type.ts';
import { NodeId, NodeRole, PlaceName, PublicJwk } from '../contract/primitives.ts';
import { coded } from './errors.ts';
import { parseJsonAs } from './parse.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

/** What a node keeps in identity.json (0600). */
export const StoredIdentity = Type.Object({
  version: Type.Literal(1),
  nodeId: NodeId,
  role: NodeRole,
  site: Type.Optional(PlaceName),
  cluster: Type.Optional(PlaceName),
  /** PKCS #8 PEM. */
  privateKey: Type.String(),
  rootJwk: PublicJwk,
  /** The last signed keyset: lets the node verify documents and tokens while the control plane is gone. */
  keyset: Type.String(),
});
export type StoredIdentity = Static<typeof StoredIdentity>;

/** The stored identity, or undefined when the node was never enrolled. STORE_CORRUPT, CONFIG_INVALID (file mode). */
export async function readIdentity(path: string): Promise<StoredIdentity | undefined> {
  const text = await readPrivateFile(path);
  if (text === undefined) return undefined;
  const { version } = parseJsonAs(Type.Object({ version: Type.Integer() }), text, {
    what: path,
    code: 'STORE_CORRUPT',
  });
  if (version > 1) throw coded('STORE_NEWER', `${path} is of version ${version}; upgrade this node`);
  return parseJsonAs(StoredIdentity, text, { what: path, code: 'STORE_CORRUPT' });
}

/** Stores the identity, replacing the one held. */
export async function writeIdentity(path: string, identity: StoredIdentity): Promise<void> {
  await writePrivateFile(path, `${JSON.stringify(identity, null, 2)}\n`);
}
