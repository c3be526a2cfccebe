import type { NodeView } from '../../../common/contract/nodes.ts';
import type { StatusView } from '../../../common/contract/status.ts';

/** What the status is put together from. */
export interface StatusSources {
  nodes(): NodeView[];
  titles(): StatusView['titles'];
  fill(): StatusView['fill'];
  sessionsToday(): number;
}
