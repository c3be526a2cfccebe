import { assert } from './errors.ts';

/** Decodes a CMCD text (CTA-5004, a structured dictionary of RFC 8941); throws where it is none. */
export type DecodeCmcd = (text: string) => object;

/**
 * The decoder of the Common Media Library, loaded when it is first needed: 6 ms and 0.8 MiB that a process whose players send
 * no CMCD never spends.
 */
export async function loadCmcdDecoder(): Promise<DecodeCmcd> {
  const { decodeCmcd } = await import('@svta/cml-cmcd');
  assert(typeof decodeCmcd === 'function', '@svta/cml-cmcd has no decoder');
  return (text) => decodeCmcd(text);
}
