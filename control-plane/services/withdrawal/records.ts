import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import {
  FileName,
  Line,
  NodeId,
  ObjectId,
  Sequence,
  SizeBytes,
  TimeMs,
} from '../../../common/contract/primitives.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

/** A withdrawal. Written before anything is done for it, so that a crash in the middle is made good at the next start. */
export const WithdrawalRecord = Type.Object({
  version: Type.Literal(1),
  id: ObjectId,
  titleId: ObjectId,
  title: Line,
  bundle: FileName,
  /** The bundles of its pictures, those of before too. */
  pictures: Type.Optional(Type.Array(FileName, { maxItems: 300 })),
  /** Its videos of before that a session may play, and the one that was to take its place. */
  others: Type.Optional(Type.Array(FileName, { maxItems: 300 })),
  sizeBytes: SizeBytes,
  files: Type.Array(FileName, { maxItems: 5000 }),
  withdrawnAtMs: TimeMs,
  /** Of the first revocations with it in them; 0 until they were signed. */
  revocationsSequence: Sequence,
  /** Every box has confirmed and no token can be left: boxes are no longer told. */
  closed: Type.Boolean(),
  /** Its files may be shown again since then. */
  liftedAtMs: Type.Optional(TimeMs),
});
export type WithdrawalRecord = Static<typeof WithdrawalRecord>;

/** A box's receipt, verified when it came. */
export const ReceiptRecord = Type.Object({
  withdrawal: ObjectId,
  nodeId: NodeId,
  receivedAtMs: TimeMs,
  deletedFiles: Type.Integer(),
  deletedBytes: SizeBytes,
  doneAtMs: TimeMs,
  jws: Type.String(),
});
export type ReceiptRecord = Static<typeof ReceiptRecord>;

/** The collections of withdrawals, by id, and of receipts, by withdrawal and node. */
export interface WithdrawalRecords {
  withdrawals: Collection<WithdrawalRecord>;
  receipts: Collection<ReceiptRecord>;
}

/** Opens the collections of withdrawals. */
export function openWithdrawalRecords(records: Records): WithdrawalRecords {
  return {
    withdrawals: openCollection(records, 'withdrawals', (value) =>
      parseAs(WithdrawalRecord, value, { what: 'the record of a withdrawal', code: 'STORE_CORRUPT' }),
    ),
    receipts: openCollection(records, 'receipts', (value) =>
      parseAs(ReceiptRecord, value, { what: 'the record of a receipt', code: 'STORE_CORRUPT' }),
    ),
  };
}
