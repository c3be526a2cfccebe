import type { AuditDraft } from '../../../../common/contract/audit.ts';

/** Something that may happen any number of times and is written in sum. */
export interface RepeatedEvent {
  /** `-` where nobody is known. */
  account: string;
  role?: AuditDraft['role'];
  /** Left out for viewers, and where nobody is known. */
  network?: string | undefined;
  action: string;
  code: string;
}

interface Group extends RepeatedEvent {
  count: number;
  networks: Set<string>;
}

const groupsMax = 500;
const networksMax = 100;

/** Sums up what would else fill the log: refusals, which anybody can bring about. Beyond 500 kinds they are summed for all accounts together. */
export class RepeatedEvents {
  #groups = new Map<string, Group>();

  add(event: RepeatedEvent): void {
    const group = this.#groupOf(event);
    group.count++;
    if (event.network !== undefined && group.networks.size < networksMax) group.networks.add(event.network);
  }

  /** What there was since this was last asked, one draft for each kind. */
  take(nowMs: number): AuditDraft[] {
    const groups = [...this.#groups.values()];
    this.#groups = new Map();
    return groups.map(({ account, role, action, code, count, networks }) => {
      const [network, ...others] = networks;
      const most = networks.size === networksMax ? ' or more' : '';
      return {
        ...{ atMs: nowMs, account, action, code, count, outcome: 'refused' as const },
        ...(role !== undefined && { role }),
        ...(network !== undefined && others.length === 0 && { network }),
        ...(others.length > 0 && { detail: `from ${String(networks.size)}${most} networks` }),
      };
    });
  }

  #groupOf(event: RepeatedEvent): Group {
    const { account, role, action, code } = event;
    const keyOf = (who: string): string => JSON.stringify([who, action, code]);
    const key = keyOf(account);
    const found = this.#groups.get(key) ?? this.#groups.get(keyOf('-'));
    if (found !== undefined && (found.account === account || this.#groups.size >= groupsMax)) return found;
    const isFull = this.#groups.size >= groupsMax;
    const group: Group = {
      ...{ account: isFull ? '-' : account, action, code, count: 0, networks: new Set<string>() },
      ...(!isFull && role !== undefined && { role }),
    };
    this.#groups.set(isFull ? keyOf('-') : key, group);
    return group;
  }
}
