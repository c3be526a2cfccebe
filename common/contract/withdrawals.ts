import { FileName, NodeId, ObjectId, Sequence, SizeBytes, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** Who reads receipts, as their audience. */
export const receiptAudience = 'control-plane';

/** Files that every box is to delete and never to fetch again. */
export const WithdrawnFiles = Type.Object({
  withdrawal: ObjectId,
  files: Type.Array(FileName, { maxItems: 5000 }),
});
export type WithdrawnFiles = Static<typeof WithdrawnFiles>;

/**
 * A box's word that nothing of a withdrawal is on its disks any more and its tokens are refused. The body of a document
 * that the box signs with its own key; its sequence is that of the revocations that ordered the deletion.
 */
export const WithdrawalReceipt = Type.Object({
  withdrawal: ObjectId,
  deletedFiles: Type.Integer({ minimum: 0 }),
  deletedBytes: SizeBytes,
  doneAtMs: TimeMs,
});
export type WithdrawalReceipt = Static<typeof WithdrawalReceipt>;

/** A signed receipt on its way. */
export const WithdrawalReceiptRequest = Type.Object(
  { jws: Type.String({ minLength: 1, maxLength: 16 * 1024 }) },
  { additionalProperties: false },
);
export type WithdrawalReceiptRequest = Static<typeof WithdrawalReceiptRequest>;

/** One box of a withdrawal: what it has confirmed, or how it is while it has not. */
const WithdrawalNode = Type.Object({
  id: NodeId,
  confirmed: Type.Boolean(),
  /** Its state, where it has not confirmed: a lost box cannot. */
  state: Type.Optional(Type.String()),
  deletedFiles: Type.Optional(Type.Integer({ minimum: 0 })),
  deletedBytes: Type.Optional(SizeBytes),
  /** When all of it was gone, by the clock of the box. */
  doneAtMs: Type.Optional(TimeMs),
  /** The receipt itself; in the view of one withdrawal. */
  receipt: Type.Optional(Type.String()),
});

/** A title that was withdrawn, and what the boxes have confirmed of it. */
export const WithdrawalView = Type.Object({
  id: ObjectId,
  titleId: ObjectId,
  title: Type.String(),
  bundle: FileName,
  files: Type.Integer({ minimum: 0 }),
  sizeBytes: SizeBytes,
  withdrawnAtMs: TimeMs,
  /** Sequence of the first revocations with it in them; 0 until they are signed. */
  revocationsSequence: Sequence,
  /** Since when its files may be shown again; absent where that was not allowed. */
  liftedAtMs: Type.Optional(TimeMs),
  /** Every box has confirmed. */
  complete: Type.Boolean(),
  /** Those that have not confirmed first. */
  nodes: Type.Array(WithdrawalNode),
});
export type WithdrawalView = Static<typeof WithdrawalView>;
export const WithdrawalList = Type.Object({ withdrawals: Type.Array(WithdrawalView) });
