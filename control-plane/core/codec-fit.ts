/** What a device says that it decodes, of one codec: what it has no word for it takes as it comes. */
interface Decoder {
  readonly entry: string;
  /** Profile, level and the like, each of which something may have at most. */
  readonly limits: readonly number[];
}

/** In the order in which each decoder of one decodes those before it (ISO/IEC 14496-10 annex A). */
const avcProfiles = [0x42, 0x4d, 0x58, 0x64, 0x6e, 0x7a, 0xf4];

/**
 * Whether a device plays something that is coded so, both as RFC 6381 writes it. The device names what it decodes at most
 * (`avc1.640028`: AVC up to High profile and level 4.0), or only the codec (`avc1`) where it takes all of it. Sample entries are told apart:
 * some devices play `hvc1` and no `hev1`.
 */
export function decodes(device: string, coded: string): boolean {
  if (device === coded) return true;
  const wanted = parse(coded);
  const able = parse(device);
  if (wanted.entry !== able.entry) return false;
  // The codec alone, without what it can do.
  if (!device.includes('.')) return true;
  if (able.limits.length === 0 || able.limits.length !== wanted.limits.length) return false;
  // What cannot be read is NaN, and fits nothing.
  return able.limits.every((limit, at) => (wanted.limits[at] ?? NaN) <= limit);
}

function parse(codec: string): Decoder {
  const [entry = '', ...parts] = codec.split('.');
  return { entry, limits: limitsOf(entry, parts) };
}

function limitsOf(entry: string, parts: readonly string[]): number[] {
  const [first = '', second = '', third = ''] = parts;
  switch (entry) {
    case 'avc1':
    case 'avc3': {
      // ISO/IEC 14496-15 annex E: profile, constraints and level, a byte each.
      const [profile, level] = [first.slice(0, 2), first.slice(4, 6)].map((byte) =>
        Number.parseInt(byte, 16),
      );
      const rank = avcProfiles.indexOf(profile ?? NaN);
      return [rank < 0 ? NaN : rank, level ?? NaN];
    }
    case 'hvc1':
    case 'hev1':
      // The same annex: profile, compatibility, tier with level; the high tier is beyond any level of the main one.
      return [Number.parseInt(first, 10), third.startsWith('H') ? 1 : 0, Number.parseInt(third.slice(1), 10)];
    case 'av01':
      // AV1 in ISOBMFF §5: profile, level with tier, depth.
      return [
        Number.parseInt(first, 10),
        Number.parseInt(second, 10),
        second.endsWith('H') ? 1 : 0,
        Number.parseInt(third === '' ? '8' : third, 10),
      ];
    case 'vp09':
      // VP codecs in ISOBMFF: profile, level, depth.
      return [first, second, third].map((part) => Number.parseInt(part, 10));
    default:
      // Of others only the very same is known to play.
      return [];
  }
}
