import { seededRandom } from '../../support/seeded.ts';

/** What all servers answer for: the same name, from the same table of prefixes to sites. */
export const zone = 'steer.nearcast.test';
export const steeredName = 'play';
export const sites = 16;
export const boxesPerSite = 8;
export const ttlS = 20;

/** Addresses of a site's boxes. */
export function addressesOf(site: number): string[] {
  return Array.from({ length: boxesPerSite }, (_, box) => `192.0.${site}.${box + 1}`);
}

/** A prefix in text and the site that reaches it. */
export interface Net {
  readonly prefix: string;
  readonly site: number;
}

/** Distinct IPv4 prefixes, of the lengths that the Internet's table has most of, from a fixed seed. */
export function makeNets(count: number): Net[] {
  const random = seededRandom(5);
  const nets = new Map<string, number>();
  while (nets.size < count) {
    const length = random() < 0.6 ? 24 : 16 + Math.floor(random() * 8);
    const network = Math.floor((1 + random() * 222) * 2 ** 24);
    const base = Math.floor(network / 2 ** (32 - length)) * 2 ** (32 - length);
    const prefix = `${[24, 16, 8, 0].map((bits) => Math.floor(base / 2 ** bits) % 256).join('.')}/${length}`;
    nets.set(prefix, Math.floor(random() * sites));
  }
  return Array.from(nets, ([prefix, site]) => ({ prefix, site }));
}
