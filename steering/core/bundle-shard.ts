/**
 * A name in DNS may lead to a title's few homes: `<shard>.play.<zone>`, with the shard the first 20 bits of the bundle's
 * name as five hexadecimal digits. Twenty bits bound the names that resolvers can be made to keep to a million, and two of
 * 100,000 titles seldom share one; where they do, the first by name decides for both, and a box sends the other's viewers
 * on to the mate that holds it.
 */
export const shardDigits = 5;
export const shardBits = 4 * shardDigits;

/** The shard of a bundle's name, which is lower-case hexadecimal. */
export function shardOf(bundle: string): number {
  return Number.parseInt(bundle.slice(0, shardDigits), 16);
}
