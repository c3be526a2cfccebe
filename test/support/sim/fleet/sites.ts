/** A site of the simulated fleet. */
export interface SimSite {
  readonly name: string;
  readonly timeZone: string;
  readonly boxes: number;
  /** What its link may carry of fill. */
  readonly linkCapBytesPerSecond: number;
  /** What one of its boxes may fill with: its own cap or its share of the link's, the lower one. */
  readonly boxCapBytesPerSecond: number;
}

/** Of all hemispheres, with half hours, and with a change of the clocks in the simulated month. */
const timeZones = [
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'America/Sao_Paulo',
  'Australia/Lord_Howe',
];

/** Sites with so many boxes each; at every third one the link is what limits the fill. */
export function makeSites(boxesBySite: readonly number[], boxCapBytesPerSecond: number): SimSite[] {
  return boxesBySite.map((boxes, index) => {
    const linkCapBytesPerSecond = boxes * boxCapBytesPerSecond * (index % 3 === 0 ? 0.6 : 1);
    return {
      ...{
        name: `site-${index}`,
        timeZone: timeZones[index % timeZones.length]!,
        boxes,
        linkCapBytesPerSecond,
      },
      boxCapBytesPerSecond: Math.min(boxCapBytesPerSecond, Math.floor(linkCapBytesPerSecond / boxes)),
    };
  });
}
