import { Type, type Static } from '../../common/contract/type.ts';

const Ratio = Type.Optional(Type.String());
const Level = Type.Optional(Type.Integer({ minimum: 0 }));

/** What ffprobe tells beside a stream or a frame; of much of it nothing here is used. */
export const SideData = Type.Object({
  rotation: Type.Optional(Type.Number()),
  ...{ red_x: Ratio, red_y: Ratio, green_x: Ratio, green_y: Ratio, blue_x: Ratio, blue_y: Ratio },
  ...{ white_point_x: Ratio, white_point_y: Ratio, min_luminance: Ratio, max_luminance: Ratio },
  ...{ max_content: Level, max_average: Level },
});
export type SideData = Static<typeof SideData>;

/** What is used of `ffprobe -show_frames`. */
export const FirstFrames = Type.Object({
  frames: Type.Array(Type.Object({ side_data_list: Type.Optional(Type.Array(SideData)) })),
});

/** A colour by its place in the CIE 1931 diagram. */
interface Chromaticity {
  x: number;
  y: number;
}

/** What an HDR picture was made on and how bright it gets, so that a screen that shows less can make the best of it. */
export interface HdrLight {
  /** SMPTE ST 2086; luminance in cd/m². */
  mastering?: Record<'red' | 'green' | 'blue' | 'white', Chromaticity> & { min: number; max: number };
  /** CTA-861.3, in cd/m²: of the brightest pixel, and of the brightest picture on average. */
  content?: { pixelMax: number; pictureMax: number };
}

// ITU-T H.273 and AV1 §6.7.3 hold no more; brighter than PQ can be is nothing.
const luminanceMax = 10_000;
const levelMax = 65_535;

/** Reads what is told of the light; of what is told twice the first, of what makes no sense nothing. */
export function readLight(sideData: readonly SideData[]): HdrLight {
  const mastering = sideData.map(masteringOf).find((one) => one !== undefined);
  const content = sideData.map(contentOf).find((one) => one !== undefined);
  return { ...(mastering && { mastering }), ...(content && { content }) };
}

/** The light as SVT-AV1's parameters, `key=value`. */
export function lightParameters({ mastering, content }: HdrLight): string[] {
  const at = ({ x, y }: Chromaticity): string => `(${x.toFixed(5)},${y.toFixed(5)})`;
  const display = mastering && [
    `G${at(mastering.green)}B${at(mastering.blue)}R${at(mastering.red)}WP${at(mastering.white)}`,
    `L(${mastering.max.toFixed(4)},${mastering.min.toFixed(4)})`,
  ];
  return [
    ...(display === undefined ? [] : [`mastering-display=${display.join('')}`]),
    ...(content === undefined ? [] : [`content-light=${content.pixelMax},${content.pictureMax}`]),
  ];
}

function masteringOf(data: SideData): HdrLight['mastering'] | undefined {
  const [red, green, blue, white] = [
    chromaticity(data.red_x, data.red_y),
    chromaticity(data.green_x, data.green_y),
    chromaticity(data.blue_x, data.blue_y),
    chromaticity(data.white_point_x, data.white_point_y),
  ];
  const [min, max] = [ratio(data.min_luminance), ratio(data.max_luminance)];
  if (red === undefined || green === undefined || blue === undefined || white === undefined) return undefined;
  return min >= 0 && max > min && max <= luminanceMax ? { red, green, blue, white, min, max } : undefined;
}

function contentOf({
  max_content: pixelMax = 0,
  max_average: pictureMax = 0,
}: SideData): HdrLight['content'] {
  // CTA-861.3: 0 is what is not known.
  const isTold = pixelMax > 0 && Math.max(pixelMax, pictureMax) <= levelMax;
  return isTold ? { pixelMax, pictureMax } : undefined;
}

function chromaticity(x: string | undefined, y: string | undefined): Chromaticity | undefined {
  const at = { x: ratio(x), y: ratio(y) };
  return [at.x, at.y].every((one) => one >= 0 && one <= 1) ? at : undefined;
}

/** ffprobe's `34000/50000`; NaN where it is none. */
function ratio(text = ''): number {
  const [, num, den] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  return num === undefined || Number(den) === 0 ? NaN : Number(num) / Number(den);
}
