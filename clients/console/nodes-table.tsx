import type { NodeView } from '../../common/contract/nodes.ts';
import { formatBytes, formatCount, formatTime } from '../shared/format.ts';
import { Table, type Column } from './table.tsx';

const marks: Record<NodeView['state'], string> = {
  ready: 'good',
  draining: 'warn',
  enrolled: 'warn',
  lost: 'bad',
  revoked: 'bad',
};

// Only boxes that serve tell of these; an origin holds what its storage holds.
const serves = ({ role }: NodeView) => role === 'appliance' || role === 'origin';
const fills = ({ role }: NodeView) => role === 'appliance';

const columns: readonly Column<NodeView>[] = [
  { name: 'node', cell: (node) => node.id },
  { name: 'role', cell: (node) => node.role },
  { name: 'site', cell: (node) => node.site ?? '–' },
  { name: 'state', cell: (node) => <State node={node} /> },
  {
    name: 'files held',
    isNumber: true,
    cell: (node) => (fills(node) ? formatCount(node.heldFiles) : '–'),
  },
  {
    name: 'missing',
    isNumber: true,
    cell: (node) => (fills(node) ? formatCount(node.missingFiles) : '–'),
  },
  {
    name: 'disk',
    isNumber: true,
    cell: ({ usedBytes, capacityBytes }) =>
      capacityBytes === 0 ? '–' : `${formatBytes(usedBytes)} of ${formatBytes(capacityBytes)}`,
  },
  {
    name: 'headroom',
    isNumber: true,
    cell: (node) => (serves(node) ? `${Math.round(node.headroom * 100)} %` : '–'),
  },
  {
    name: 'served',
    isNumber: true,
    cell: ({ served }) => (served === undefined ? '–' : formatBytes(served.playBytes)),
  },
  {
    name: 'in flight',
    isNumber: true,
    cell: (node) => (serves(node) ? formatCount(node.liveRequests) : '–'),
  },
];

function State({ node }: { node: NodeView }) {
  const why = node.state === 'ready' ? node.reasons : [node.stateReason, ...node.reasons];
  return (
    <span className="words">
      <span className={`mark ${marks[node.state]}`}>{node.state}</span>{' '}
      <span className="dim">{[`since ${formatTime(node.stateSinceMs)}`, ...why].join('; ')}</span>
    </span>
  );
}

/** Every node with its state and why. */
export function NodesTable({ nodes }: { nodes: readonly NodeView[] }) {
  if (nodes.length === 0) {
    return (
      <p className="dim">
        No node has joined yet: <code>nearcast appliance enrol NAME</code> makes a code for one.
      </p>
    );
  }
  return <Table label="Nodes" columns={columns} rows={nodes} keyOf={({ id }) => id} />;
}
