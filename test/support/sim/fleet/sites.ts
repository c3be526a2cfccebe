import { capShare, lowestShare } from '../../../../control-plane/core/fill-caps.ts';

/** Whose sites share a cap. */
export interface SimPartner {
  readonly name: string;
  readonly boxes: number;
  readonly capBytesPerSecond: number;
}

/** A site of the simulated fleet. */
export interface SimSite {
  readonly name: string;
  readonly timeZone: string;
  readonly boxes: number;
  /** What its link may carry of fill. */
  readonly linkCapBytesPerSecond: number;
  readonly partner: SimPartner;
  /** What may come from the origin. */
  readonly originCapBytesPerSecond: number;
  /** What one of its boxes may fill with: its own cap, or its share of the link's or the partner's, the lowest. */
  readonly boxCapBytesPerSecond: number;
  /** What of that may come from the origin. */
  readonly boxOriginCapBytesPerSecond: number;
}

/** Of all hemispheres, with half hours, and with a change of the clocks in the simulated month. */
const timeZones = [
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'America/Sao_Paulo',
  'Australia/Lord_Howe',
];

/** Sites with so many boxes each, two of a partner; at every third one the link is what limits the fill, at each other the partner's cap. */
export function makeSites(boxesBySite: readonly number[], boxCapBytesPerSecond: number): SimSite[] {
  return boxesBySite.map((boxes, index) => {
    const linkCapBytesPerSecond = boxes * boxCapBytesPerSecond * (index % 3 === 0 ? 0.6 : 1);
    const number = index >> 1;
    const ofPartner = boxes + (boxesBySite[index ^ 1] ?? 0);
    const partner: SimPartner = {
      ...{ name: `partner-${number}`, boxes: ofPartner },
      capBytesPerSecond: Math.floor(0.8 * ofPartner * boxCapBytesPerSecond),
    };
    const originCapBytesPerSecond = Math.floor(linkCapBytesPerSecond * (index % 2 === 0 ? 0.5 : 1));
    return {
      ...{ name: `site-${index}`, timeZone: timeZones[index % timeZones.length]!, boxes },
      ...{ linkCapBytesPerSecond, partner, originCapBytesPerSecond },
      boxCapBytesPerSecond: lowestShare([
        { bytesPerSecond: boxCapBytesPerSecond, boxes: 1 },
        { bytesPerSecond: linkCapBytesPerSecond, boxes },
        { bytesPerSecond: partner.capBytesPerSecond, boxes: partner.boxes },
      ])!,
      boxOriginCapBytesPerSecond: capShare({ bytesPerSecond: originCapBytesPerSecond, boxes }),
    };
  });
}
