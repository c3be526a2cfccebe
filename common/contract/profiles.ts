import { Language, Maturity, ObjectId, TimeMs, TimeZone } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** A name as it was typed; which ones are taken is said where profiles are made. */
const ProfileName = Type.String({ minLength: 1, maxLength: 400 });

/** Four to eight digits. */
const Pin = Type.String({ pattern: '^[0-9]{4,8}$' });

/** The avatars that there are; each is a picture at `/avatars/<name>.svg`. */
export const Avatar = Type.Union([
  Type.Literal('bear'),
  Type.Literal('bird'),
  Type.Literal('cat'),
  Type.Literal('fish'),
  Type.Literal('fox'),
  Type.Literal('ghost'),
  Type.Literal('moon'),
  Type.Literal('owl'),
  Type.Literal('rabbit'),
  Type.Literal('robot'),
  Type.Literal('star'),
  Type.Literal('sun'),
]);
export type Avatar = Static<typeof Avatar>;

/** Which captions are read wherever they are there; `off`: none but the forced ones, which come with the sound. */
export const CaptionWish = Type.Union([
  Type.Literal('off'),
  Type.Object(
    { language: Language, kind: Type.Union([Type.Literal('subtitles'), Type.Literal('captions')]) },
    { additionalProperties: false },
  ),
]);
export type CaptionWish = Static<typeof CaptionWish>;

/** One of those who watch with an account. */
export const ProfileView = Type.Object({
  id: ObjectId,
  accountId: ObjectId,
  name: ProfileName,
  avatar: Avatar,
  maturityMax: Maturity,
  /** Whether it asks for a PIN. */
  locked: Type.Boolean(),
  language: Type.Optional(Language),
  /** In which it wants films to sound; in its language when absent. */
  audioLanguage: Type.Optional(Language),
  /** When absent, captions are on where a film does not sound in its language. */
  captions: Type.Optional(CaptionWish),
  timeZone: Type.Optional(TimeZone),
  /** Whether the next episode starts by itself. */
  autoplay: Type.Boolean(),
  createdAtMs: TimeMs,
});
export type ProfileView = Static<typeof ProfileView>;

export const ProfileList = Type.Object({ profiles: Type.Array(ProfileView) });
export type ProfileList = Static<typeof ProfileList>;

/** Whose profiles are asked for; one's own when absent, which is all that a viewer may see. */
export const ProfileQuery = Type.Object(
  { account: Type.Optional(ObjectId) },
  { additionalProperties: false },
);

const settings = {
  avatar: Type.Optional(Avatar),
  maturityMax: Type.Optional(Maturity),
  autoplay: Type.Optional(Type.Boolean()),
};

export const ProfileRequest = Type.Object(
  {
    ...settings,
    /** Whose it is; one's own when absent. */
    account: Type.Optional(ObjectId),
    name: ProfileName,
    pin: Type.Optional(Pin),
    language: Type.Optional(Language),
    audioLanguage: Type.Optional(Language),
    captions: Type.Optional(CaptionWish),
    timeZone: Type.Optional(TimeZone),
  },
  { additionalProperties: false },
);
export type ProfileRequest = Static<typeof ProfileRequest>;

/** What is absent stays; null takes it away. */
export const ProfilePatch = Type.Object(
  {
    ...settings,
    name: Type.Optional(ProfileName),
    pin: Type.Optional(Type.Union([Pin, Type.Null()])),
    language: Type.Optional(Type.Union([Language, Type.Null()])),
    audioLanguage: Type.Optional(Type.Union([Language, Type.Null()])),
    captions: Type.Optional(Type.Union([CaptionWish, Type.Null()])),
    timeZone: Type.Optional(Type.Union([TimeZone, Type.Null()])),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type ProfilePatch = Static<typeof ProfilePatch>;

export const UnlockRequest = Type.Object({ pin: Pin }, { additionalProperties: false });

/** What a device sends as the header `profile-unlock` with each call for a profile that asks for its PIN. */
export const UnlockReply = Type.Object({ unlock: Type.String(), expiresAtMs: TimeMs });
export type UnlockReply = Static<typeof UnlockReply>;
