/** Above every class of a size. */
export const noSizeClass = 255;

const sizeAsFloat = new Float32Array(1);
const floatBits = new Uint32Array(sizeAsFloat.buffer);
// Of a float's bits the exponent and two more are left; that of 1 byte is class 0.
const ignoredBits = 21;
const classOfOne = 0x3f80_0000 >>> ignoredBits;

/**
 * A size in bytes as one of 255 classes, a quarter of an octave wide or so: of two sizes the one of the higher class is the larger. So much of a size fits
 * a byte, and those of a million files into a processor's cache.
 */
export function sizeClassOf(bytes: number): number {
  sizeAsFloat[0] = Math.max(1, bytes);
  return Math.min(noSizeClass - 1, ((floatBits[0] ?? 0) >>> ignoredBits) - classOfOne);
}
