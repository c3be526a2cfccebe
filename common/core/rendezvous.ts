/** Two 32-bit lanes of a hash. */
export interface HashPair {
  readonly a: number;
  readonly b: number;
}

/** One that may be chosen, with its share of the keys relative to the others. */
export interface RendezvousNode {
  readonly hash: HashPair;
  /** 0 gets nothing unless there is nobody else. */
  readonly weight: number;
}

/**
 * Hashes a text to 64 bits in two lanes (multiply and rotate as in MurmurHash3). The same on every machine and for ever:
 * steering nodes must agree. Not for secrets.
 */
export function hashText(text: string): HashPair {
  let a = 0x9e3779b9;
  let b = 0x85ebca6b;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    a = Math.imul(rotate(a ^ Math.imul(unit, 0xcc9e2d51), 13), 5) + 0xe6546b64;
    b = Math.imul(rotate(b ^ Math.imul(unit, 0x1b873593), 15), 9) + 0x38495ab5;
  }
  return { a: finish(a ^ text.length), b: finish(b ^ Math.imul(a, 0x27d4eb2f)) };
}

/**
 * Hashes the first `bits` of an address in 32-bit words, most significant first: the same for every address of the block. Into a
 * pair that is there already, where nothing may be made.
 */
export function hashBlock(
  words: ArrayLike<number>,
  bits: number,
  into: { -readonly [lane in keyof HashPair]: number } = { a: 0, b: 0 },
): HashPair {
  let a = 0x9e3779b9 ^ bits;
  let b = 0x85ebca6b;
  for (let word = 0; 32 * word < bits; word++) {
    const left = bits - 32 * word;
    const value = left >= 32 ? (words[word] ?? 0) : (words[word] ?? 0) & ~(0xffffffff >>> left);
    a = Math.imul(rotate(a ^ Math.imul(value, 0xcc9e2d51), 13), 5) + 0xe6546b64;
    b = Math.imul(rotate(b ^ Math.imul(value, 0x1b873593), 15), 9) + 0x38495ab5;
  }
  into.a = finish(a);
  into.b = finish(b ^ Math.imul(a, 0x27d4eb2f));
  return into;
}

/**
 * The score of a node for a key: -weight / ln(u), u from the hash of both, uniform in (0, 1). The node with the
 * highest score gets the key. A node's share of the keys is its share of the weights, and a change of one node moves
 * only that node's keys (Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005).
 */
export function rendezvousScore(node: RendezvousNode, key: HashPair): number {
  return node.weight <= 0 ? 0 : -node.weight / Math.log(uniformOf(node.hash.a, node.hash.b, key));
}

/** A number in (0, 1) that follows from a node's two lanes and a key alone, and is as good as one by chance. */
export function uniformOf(nodeA: number, nodeB: number, key: HashPair): number {
  const high = laneOf(nodeA, key.a);
  const low = finish(nodeB ^ Math.imul(key.b, 0x85ebca77) ^ high);
  // 52 bits and a half: never 0, never 1.
  return ((high >>> 6) * 2 ** 26 + (low >>> 6) + 0.5) / 2 ** 52;
}

/** 26 bits by which two nodes of one weight are compared for a key: where they differ, so do their scores, and alike. */
export function drawOf(nodeA: number, keyA: number): number {
  return laneOf(nodeA, keyA) >>> 6;
}

function laneOf(nodeA: number, keyA: number): number {
  return finish(nodeA ^ Math.imul(keyA, 0x9e3779b1));
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

// MurmurHash3's finaliser.
function finish(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
