/** Frames per second as a fraction, so that 24000/1001 stays exact. */
export interface FrameRate {
  num: number;
  den: number;
}

const standardRates: readonly FrameRate[] = [
  { num: 10, den: 1 },
  { num: 12, den: 1 },
  { num: 15, den: 1 },
  { num: 20, den: 1 },
  { num: 24_000, den: 1001 },
  { num: 24, den: 1 },
  { num: 25, den: 1 },
  { num: 30_000, den: 1001 },
  { num: 30, den: 1 },
  { num: 48, den: 1 },
  { num: 50, den: 1 },
  { num: 60_000, den: 1001 },
  { num: 60, den: 1 },
];

const fallbackRate: FrameRate = { num: 25, den: 1 };
/** 23.976 and 24 are 0.1 % apart: the nearest wins, but only within this. */
const toleranceRatio = 0.01;
/** A mean that is so near to a standard rate is that rate; farther off the frames come unevenly. */
const constantRatio = 0.002;

/** Frames per second as a number. */
export function hertzOf(rate: FrameRate): number {
  return rate.num / rate.den;
}

/**
 * The constant frame rate to encode at. A mean that is a standard rate is taken as it is; where it is none (variable
 * frame rate), the base rate that all timestamps are multiples of, if it is sane; else the standard rate within 1 % of
 * the mean, or the next whole one above it, so that no frame is lost. Rates above 60 are halved until they are not.
 *
 * @param meanHz the source's mean rate; anything that is not a positive number gives 25
 * @param baseHz ffprobe's `r_frame_rate`, where it is known
 */
export function chooseFrameRate(meanHz: number, baseHz = Infinity): FrameRate {
  if (!Number.isFinite(meanHz) || meanHz <= 0) return fallbackRate;
  const mean = nearestStandard(halveAbove60(meanHz));
  if (mean.offRatio <= constantRatio) return mean.rate;
  if (baseHz >= meanHz && baseHz <= 60 * (1 + toleranceRatio)) {
    const base = nearestStandard(baseHz);
    if (base.offRatio <= toleranceRatio) return base.rate;
  }
  if (mean.offRatio <= toleranceRatio) return mean.rate;
  const above = standardRates.find((rate) => rate.den === 1 && rate.num >= halveAbove60(meanHz));
  return above ?? { num: 60, den: 1 };
}

function halveAbove60(hz: number): number {
  let halved = hz;
  while (halved > 60 * (1 + toleranceRatio)) halved /= 2;
  return halved;
}

function nearestStandard(hz: number): { rate: FrameRate; offRatio: number } {
  const offRatio = (rate: FrameRate): number => Math.abs(hertzOf(rate) - hz) / hz;
  const [rate = fallbackRate] = standardRates.toSorted((a, b) => offRatio(a) - offRatio(b));
  return { rate, offRatio: offRatio(rate) };
}

/** Reads ffprobe's `30000/1001`; undefined for `0/0` and the like. */
export function parseRateHz(text: string | undefined): number | undefined {
  const match = /^(\d+)\/(\d+)$/.exec(text ?? '');
  const hz = Number(match?.[1]) / Number(match?.[2]);
  return Number.isFinite(hz) && hz > 0 ? hz : undefined;
}
