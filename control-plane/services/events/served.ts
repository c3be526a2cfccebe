import type { KeyObject } from 'node:crypto';

import { documentTypes, type DocumentPayload } from '../../../common/contract/documents.ts';
import type { EventData } from '../../../common/contract/event-log.ts';
import {
  servedReportAudience,
  ServedReport,
  type ServedReportReply,
} from '../../../common/contract/served.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { openDocument } from '../../../common/runtime/signed-documents.ts';
import { createTurns } from '../turns.ts';
import type { ServedLog, ServedNodes } from './ports.ts';

// An event is 64 KiB at most, a file some 100 bytes.
const filesPerPart = 500;

/** What is last known to be in the log of a node's reports. */
interface Taken {
  readonly kid: string;
  readonly sequence: number;
}

export interface ServedIntakeOptions {
  log: ServedLog;
  nodes: ServedNodes;
  /** What the log has brought of a node already. */
  lastOf: (nodeId: string) => Taken | undefined;
  clock: Clock;
}

/**
 * Takes the signed reports of what nodes have served. A report is in the log before it is answered; one that was taken
 * before is answered and left. After a restart one may come into the log again: whoever reads it knows it by its sequence.
 */
export class ServedIntake {
  readonly #options: ServedIntakeOptions;
  readonly #taken = new Map<string, Taken>();
  readonly #turns = new Map<string, ReturnType<typeof createTurns>>();

  constructor(options: ServedIntakeOptions) {
    this.#options = options;
  }

  /** Errors: SIGNATURE_INVALID, KEY_UNKNOWN, DOCUMENT_FOREIGN, DOCUMENT_EXPIRED, and those of the log. */
  async take(nodeId: string, jws: string): Promise<ServedReportReply> {
    const { report, kid } = await this.#open(nodeId, jws);
    // One at a time, or the same report twice at once would be two.
    const inTurn = this.#turns.get(nodeId) ?? createTurns();
    this.#turns.set(nodeId, inTurn);
    return inTurn(async () => {
      const last = this.#taken.get(nodeId) ?? this.#options.lastOf(nodeId);
      if (last?.kid === kid && report.sequence <= last.sequence)
        return { outcome: 'known', sequence: last.sequence };
      const { log, nodes, clock } = this.#options;
      const nowMs = clock.nowMs();
      await log.appendServed(nowMs, partsOf(report, { nodeId, kid, site: nodes.siteOf(nodeId), nowMs }));
      this.#taken.set(nodeId, { kid, sequence: report.sequence });
      return { outcome: 'taken', sequence: report.sequence };
    });
  }

  async #open(nodeId: string, jws: string): Promise<{ report: DocumentPayload<ServedReport>; kid: string }> {
    const { nodes, clock } = this.#options;
    let signer = '';
    const findKey = (kid: string): KeyObject | undefined => {
      signer = kid;
      const node = nodes.findNode(kid);
      // Only the node itself says what it has served.
      return node?.nodeId === nodeId && !node.revoked ? node.publicKey : undefined;
    };
    const report = await openDocument(jws, {
      typ: documentTypes.servedReport,
      schema: ServedReport,
      audience: servedReportAudience,
      sequenceMin: 1,
      nowMs: clock.nowMs(),
      findKey,
    });
    return { report, kid: signer };
  }
}

function partsOf(
  report: DocumentPayload<ServedReport>,
  { nodeId, kid, site, nowMs }: { nodeId: string; kid: string; site: string | undefined; nowMs: number },
): EventData<'served-report'>[] {
  const { sequence, body } = report;
  const { files } = body;
  return Array.from({ length: Math.max(1, Math.ceil(files.length / filesPerPart)) }, (_, part) => ({
    ...{ nodeId, kid, sequence, part },
    ...(site !== undefined && { site }),
    sinceMs: Math.min(nowMs, body.sinceMs),
    // Where its clock can be believed: a box that was alone for a day tells of the day.
    untilMs: Math.min(nowMs, body.untilMs),
    filledBytes: part === 0 ? body.filledBytes : 0,
    ...filesOf(files.slice(part * filesPerPart, (part + 1) * filesPerPart)),
  }));
}

function filesOf(files: ServedReport['files']): Pick<EventData<'served-report'>, 'files' | 'pictureBytes'> {
  // A part of what went to viewers is never more than that, whatever a box says.
  const pictureBytes = files.map(({ playBytes, pictureBytes = 0 }) => Math.min(playBytes, pictureBytes));
  return {
    files: files.map(({ file, playBytes, fillBytes }) => [file, playBytes, fillBytes]),
    ...(pictureBytes.some((bytes) => bytes > 0) && { pictureBytes }),
  };
}
