import { Entitlements } from '../../../common/contract/billing.ts';
import { Bundle } from '../../../common/contract/bundle.ts';
import { AccessTokenReply } from '../../../common/contract/credentials.ts';
import { PlaybackSession } from '../../../common/contract/playback.ts';
import {
  FileName,
  IpAddress,
  Language,
  NodeId,
  ObjectId,
  PlaceName,
} from '../../../common/contract/primitives.ts';
import { CaptionWish } from '../../../common/contract/profiles.ts';
import { Viewer } from '../../../common/contract/release.ts';
import { Pathway } from '../../../common/contract/steering.ts';
import { LaunchForecast } from '../../../common/contract/titles.ts';
import { Type } from '../../../common/contract/type.ts';
import { defineInterface, Nothing, type Calls } from '../../apart/interface.ts';

const filesMax = 10_001;
const mebibyte = 1024 * 1024;

/** What playback needs of the catalog. */
export const playbackCatalog = defineInterface({
  service: 'core',
  name: 'playback-catalog',
  verbs: {
    /** A title that is live, also at the viewer's site if that is known, and that the viewer may have if there is one. Errors: TITLE_UNKNOWN, TITLE_NOT_LIVE, BUNDLE_INVALID. */
    playable: {
      ask: Type.Object({
        titleId: ObjectId,
        site: Type.Optional(PlaceName),
        viewer: Type.Optional(Viewer),
        /** In which it and the next are named, best first. */
        languages: Type.Optional(Type.Array(Type.String({ maxLength: 35 }), { maxItems: 10 })),
      }),
      answer: Type.Object({
        titleId: ObjectId,
        name: Type.String(),
        bundleName: FileName,
        /** Every file, the bundle's own included. */
        files: Type.Array(FileName, { maxItems: filesMax }),
        /** How its launch is expected to go. */
        forecast: Type.Optional(LaunchForecast),
        next: PlaybackSession.properties.next,
      }),
      isRepeatable: true,
    },
    /** A bundle by its name. Errors: BUNDLE_INVALID. */
    bundle: {
      ask: Type.Object({ name: FileName }),
      answer: Bundle,
      isRepeatable: true,
      answerBytesMax: 64 * mebibyte,
    },
  },
});
export type PlaybackCatalog = Calls<typeof playbackCatalog>;

/** What playback needs of the fleet. */
export const playbackFleet = defineInterface({
  service: 'core',
  name: 'playback-fleet',
  verbs: {
    /** At whose site a viewer is, by its address; without a site where no route tells. */
    siteOf: {
      ask: Type.Object({ client: IpAddress }),
      answer: Type.Object({ site: Type.Optional(PlaceName) }),
      isRepeatable: true,
    },
    /** Ready nodes that hold all of these files, origins included. */
    holders: {
      ask: Type.Object({ files: Type.Array(FileName, { maxItems: filesMax }) }),
      answer: Type.Object({ pathways: Type.Array(Pathway) }),
      isRepeatable: true,
      askBytesMax: mebibyte,
    },
  },
});
export type PlaybackFleet = Calls<typeof playbackFleet>;

/** What playback needs of users: where a profile of an account goes on with a title, and in what language. Errors: PROFILE_UNKNOWN, PROFILE_LOCKED. */
export const playbackUsers = defineInterface({
  service: 'users',
  name: 'playback-users',
  verbs: {
    resume: {
      ask: Type.Object({
        titleId: ObjectId,
        profileId: ObjectId,
        accountId: Type.String({ maxLength: 200 }),
        /** What showing the profile's PIN gave. */
        unlock: Type.Optional(Type.String({ maxLength: 200 })),
      }),
      answer: Type.Object({
        positionMs: Type.Optional(Type.Integer({ minimum: 0 })),
        /** What the profile wants to hear and read, and what it has chosen of either. */
        language: Type.Optional(Language),
        audioLanguage: Type.Optional(Language),
        captions: Type.Optional(CaptionWish),
      }),
      isRepeatable: true,
    },
  },
});
export type PlaybackUsers = Calls<typeof playbackUsers>;

/** What playback needs of billing: what a viewer's account may watch. */
export const playbackBilling = defineInterface({
  service: 'billing',
  name: 'playback-billing',
  verbs: {
    entitlements: {
      ask: Type.Object({
        accountId: Type.String({ maxLength: 200 }),
        /** For which it is asked: where the account is charged for what it plays, it is remembered whose it is. */
        session: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' })),
      }),
      answer: Type.Object({
        /** Whether watching takes a subscription. */
        isRequired: Type.Boolean(),
        /** Absent where the account has no subscription that lasts. */
        entitlements: Type.Optional(Entitlements),
      }),
      isRepeatable: true,
    },
  },
});
export type PlaybackBilling = Calls<typeof playbackBilling>;

/** Who counts what plays at once: hears that a session's player has reported. */
export const playbackStreams = defineInterface({
  service: 'playback',
  name: 'playback-streams',
  verbs: {
    reported: {
      ask: Type.Object({
        session: Type.String({ pattern: '^[0-9a-f]{32}$' }),
        /** That was its last. */
        hasEnded: Type.Boolean(),
      }),
      answer: Nothing,
      isRepeatable: true,
    },
  },
});

/** What playback needs of access: delivery tokens with these claims, in turn. */
export const playbackTokens = defineInterface({
  service: 'core',
  name: 'playback-tokens',
  verbs: {
    mint: {
      ask: Type.Object({
        claims: Type.Array(
          Type.Object({
            scope: Type.Union([Type.Literal('play'), Type.Literal('steer')]),
            session: Type.String({ pattern: '^[0-9a-f]{32}$' }),
            bundle: FileName,
            issuedAtS: Type.Integer(),
            expiresAtS: Type.Integer(),
            pathways: Type.Optional(Type.Array(NodeId, { maxItems: 8 })),
          }),
          { minItems: 1, maxItems: 4 },
        ),
      }),
      answer: Type.Object({ tokens: Type.Array(Type.String()) }),
      isRepeatable: true,
    },
  },
});
export type PlaybackTokens = Calls<typeof playbackTokens>;

/** What playback needs of access to ask steering: a service's token. */
export const steeringTokens = defineInterface({
  service: 'core',
  name: 'steering-tokens',
  verbs: { forSteering: { ask: Nothing, answer: AccessTokenReply, isRepeatable: true } },
});

/** Who counts sessions: nothing that names a viewer. Errors: DISK_FULL, OVERLOADED, STORE_UNAVAILABLE. */
export const playbackEvents = defineInterface({
  service: 'events',
  name: 'playback-events',
  verbs: {
    begun: {
      ask: Type.Object({
        bundle: FileName,
        site: Type.Optional(PlaceName),
        region: Viewer.properties.region,
        forecast: Type.Optional(LaunchForecast),
      }),
      answer: Nothing,
      isRepeatable: false,
    },
  },
});
export type PlaybackEvents = Calls<typeof playbackEvents>;
