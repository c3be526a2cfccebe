import { documentTypes } from '../../common/contract/documents.ts';
import { servedReportAudience, type ServedReport } from '../../common/contract/served.ts';
import type { SigningKey } from '../../common/runtime/keys.ts';
import { signDocument } from '../../common/runtime/signed-documents.ts';

export interface ServedReportParts {
  sequence: number;
  /** Bytes sent to viewers, by file. */
  played: Readonly<Record<string, number>>;
  /** Those of them that were of pictures. */
  pictures?: Readonly<Record<string, number>>;
  filledBytes?: number;
  nowMs: number;
  audience?: string;
}

/** What a box of this key would report. */
export function signServedReport(key: SigningKey, parts: ServedReportParts): Promise<string> {
  const { sequence, played, pictures = {}, filledBytes = 0, nowMs, audience = servedReportAudience } = parts;
  const issuedAtMs = Math.round(nowMs);
  const files = Object.entries(played).map(([file, playBytes]) => ({
    ...{ file, playBytes, fillBytes: 0 },
    ...(pictures[file] !== undefined && { pictureBytes: pictures[file] }),
  }));
  const body: ServedReport = { sinceMs: issuedAtMs - 2000, untilMs: issuedAtMs, files, filledBytes };
  const notAfterMs = issuedAtMs + 3_600_000;
  return signDocument(documentTypes.servedReport, { audience, sequence, issuedAtMs, notAfterMs, body }, key);
}
