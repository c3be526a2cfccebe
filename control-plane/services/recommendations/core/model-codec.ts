import { ok, refused, type Result } from '../../../../common/core/result.ts';
import type { FactorOptions } from './factors.ts';
import type { ItemWeights } from './item-weights.ts';
import type { Blend } from './model.ts';
import type { NamedModel } from './basis.ts';

const format = 1;
/** Arrays begin where the widest of their numbers may. */
const alignment = 8;

const kinds = { f64: Float64Array, f32: Float32Array, u32: Uint32Array } as const;
type Kind = keyof typeof kinds;
type Arrays = Readonly<Record<string, Float64Array | Float32Array | Uint32Array>>;

/** What stands before the numbers, as JSON. */
interface Head {
  readonly format: number;
  readonly version: string;
  readonly titles: readonly string[];
  readonly blend: Blend;
  readonly factors: FactorOptions;
  readonly arrays: readonly { readonly name: string; readonly kind: Kind; readonly length: number }[];
}

/** A model as bytes: the length of the head, the head, then the arrays one after another. Little-endian, as every machine that we run on. */
export function encodeModel({ version, titles, model, blend }: NamedModel): Uint8Array<ArrayBuffer> {
  const { ease, itemKnn, factors, popularity } = model;
  const { rank, unmetWeight, regularisation, rounds } = factors;
  const arrays: Arrays = {
    ...named('ease', ease),
    ...named('itemKnn', itemKnn),
    ...{ factors: factors.values, gram: factors.gram, popularity },
  };
  const head: Head = {
    ...{ format, version, titles, blend, factors: { rank, unmetWeight, regularisation, rounds } },
    arrays: Object.entries(arrays).map(([name, array]) => ({
      name,
      kind: kindOf(array),
      length: array.length,
    })),
  };
  const text = new TextEncoder().encode(JSON.stringify(head));
  const parts = Object.values(arrays);
  const size = parts.reduce((sum, array) => sum + aligned(array.byteLength), aligned(4 + text.length));
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  let at = aligned(4 + text.length);
  for (const array of parts) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += aligned(array.byteLength);
  }
  return bytes;
}

/** Reads what `encodeModel` wrote; its arrays are views of the bytes. Refuses STORE_CORRUPT. */
export function decodeModel(bytes: Uint8Array): Result<NamedModel> {
  const corrupt = refused('STORE_CORRUPT', 'the file of a model is not readable');
  if (bytes.length < 4 || bytes.byteOffset % alignment !== 0) return corrupt;
  const headLength = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  if (4 + headLength > bytes.length) return corrupt;
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + headLength))) as Head;
  if (head.format !== format) return corrupt;
  const arrays: Record<string, Arrays[string]> = {};
  let at = aligned(4 + headLength);
  for (const { name, kind, length } of head.arrays) {
    const size = kinds[kind].BYTES_PER_ELEMENT * length;
    if (at + size > bytes.length) return corrupt;
    arrays[name] = new kinds[kind](bytes.buffer as ArrayBuffer, bytes.byteOffset + at, length);
    at += aligned(size);
  }
  const items = head.titles.length;
  const { version, titles, blend } = head;
  return ok({
    ...{ version, titles, blend },
    model: {
      items,
      ease: weightsOf(arrays, 'ease', items),
      itemKnn: weightsOf(arrays, 'itemKnn', items),
      factors: {
        ...{ ...head.factors, items },
        ...{ values: arrays['factors'] as Float64Array, gram: arrays['gram'] as Float64Array },
      },
      popularity: arrays['popularity'] as Float64Array,
    },
  });
}

function named(name: string, { offsets, itemOf, weights }: ItemWeights): Arrays {
  return { [`${name}.offsets`]: offsets, [`${name}.itemOf`]: itemOf, [`${name}.weights`]: weights };
}

function weightsOf(arrays: Arrays, name: string, items: number): ItemWeights {
  return {
    items,
    offsets: arrays[`${name}.offsets`] as Uint32Array,
    itemOf: arrays[`${name}.itemOf`] as Uint32Array,
    weights: arrays[`${name}.weights`] as Float32Array,
  };
}

function kindOf(array: Arrays[string]): Kind {
  if (array instanceof Float64Array) return 'f64';
  return array instanceof Float32Array ? 'f32' : 'u32';
}

function aligned(length: number): number {
  return Math.ceil(length / alignment) * alignment;
}
