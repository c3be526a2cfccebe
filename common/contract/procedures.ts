import { Email, Password } from './accounts.ts';
import { PlanChangeRequest, SubscriptionRequest } from './billing.ts';
import { Line, ObjectId } from './primitives.ts';
import { Type, type Static } from './type.ts';

const { account: _account, ...subscription } = SubscriptionRequest.properties;

/** Signs a household up: an account, its first profile, and a subscription, on trial where the plan has one. All of it, or nothing. */
export const SignUpRequest = Type.Object(
  {
    ...{ email: Email, name: Line, password: Password },
    /** How the first profile is called; as the person where absent. */
    profile: Type.Optional(Type.String({ minLength: 1, maxLength: 400 })),
    ...subscription,
  },
  { additionalProperties: false },
);
export type SignUpRequest = Static<typeof SignUpRequest>;
export const SignUpReply = Type.Object({ account: ObjectId, subscription: ObjectId });

/** Another plan at once, if what it costs now can be taken; else nothing changes. */
const { plan, unit } = PlanChangeRequest.properties;
export const PaidPlanChangeRequest = Type.Object({ plan, unit }, { additionalProperties: false });
export type PaidPlanChangeRequest = Static<typeof PaidPlanChangeRequest>;
export const PaidPlanChangeReply = Type.Object({
  subscription: ObjectId,
  /** What paid for it; absent where nothing was to be paid. */
  payment: Type.Optional(ObjectId),
});
