import type { Place } from '../../common/contract/documents.ts';

const EARTH_RADIUS_KM = 6371.0088;

/** Great-circle distance in kilometres (haversine formula, mean earth radius of IUGG); Infinity to a place that is not known. */
export function distanceKm(a: Place, b: Place | undefined): number {
  if (b === undefined) return Infinity;
  const half = (degrees: number): number => Math.sin((degrees * Math.PI) / 360) ** 2;
  const cosine = (degrees: number): number => Math.cos((degrees * Math.PI) / 180);
  const chord =
    half(b.latitude - a.latitude) + cosine(a.latitude) * cosine(b.latitude) * half(b.longitude - a.longitude);
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(chord)));
}
