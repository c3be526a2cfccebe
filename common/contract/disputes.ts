import { ObjectId, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

const Disputed = {
  /** The provider's id of it. */
  dispute: Type.String(),
  amount: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  currency: Type.String(),
  state: Type.Union([Type.Literal('open'), Type.Literal('lost'), Type.Literal('won')]),
};
/** Money of a payment that its card's holder had the bank take back. */
export const DisputeView = Type.Object({ ...Disputed, payment: ObjectId });
export type DisputeView = Static<typeof DisputeView>;
/** One that was told of before its payment was in the books. */
export const WaitingDispute = Type.Object({
  ...Disputed,
  /** The provider's id. */
  payment: Type.String(),
  toldAtMs: TimeMs,
});
export type WaitingDispute = Static<typeof WaitingDispute>;
export const DisputeList = Type.Object({
  disputes: Type.Array(DisputeView),
  waiting: Type.Array(WaitingDispute),
  next: Type.Optional(Type.String()),
});
export type DisputeList = Static<typeof DisputeList>;
