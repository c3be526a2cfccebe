import { addProduct, factoriseDense, solveLower } from './dense.ts';
import { rowOf, transposed, type Interactions } from './interactions.ts';
import type { Work } from './work.ts';

/** What iALS is trained with. */
export interface FactorOptions {
  /** Numbers a user or an item is described by: a multiple of 4. */
  readonly rank: number;
  /** Weight of what was not met, against 1 for what was. */
  readonly unmetWeight: number;
  /** How strongly factors are held down; grows with what a user or item has met. */
  readonly regularisation: number;
  readonly rounds: number;
}

/** Items as factors: a user's factors follow from the items that the user has met. */
export interface ItemFactors extends FactorOptions {
  readonly items: number;
  readonly values: Float64Array;
  /** unmetWeight · QᵀQ, lower half, which every solution begins with. */
  readonly gram: Float64Array;
}

const rowsPerStep = 512;
/** Factors are gathered so many at a time, to be multiplied where they stay in a near cache. */
const gatheredRows = 256;

/**
 * Implicit alternating least squares (Hu, Koren and Volinsky, 2008; the scaling of Rendle et al., "Revisiting the performance
 * of iALS", 2021): factors of users and items in turn, each the solution of a small system of equations.
 *
 * @param seed items begin with small factors of its making; the same seed gives the same model
 */
export function* itemFactors(
  interactions: Interactions,
  options: FactorOptions,
  seed: number,
): Work<ItemFactors> {
  const { rank, rounds } = options;
  const { users, items } = interactions;
  const byItem = transposed(interactions);
  const userFactors = new Float64Array(users * rank);
  const values = firstFactors(items * rank, seed);
  for (let round = 0; round < rounds; round++) {
    const sides = [
      { rows: interactions, of: values, others: items, solved: userFactors },
      { rows: byItem, of: userFactors, others: users, solved: values },
    ];
    for (const [half, { rows, of, others, solved }] of sides.entries()) {
      const system = systemOf({ ...options, items: others, values: of });
      for (let row = 0; row < rows.users; row++) {
        solved.set(system(rowOf(rows, row).itemOf), row * rank);
        if (row % rowsPerStep === 0) yield (round + (half + row / rows.users) / 2) / rounds;
      }
    }
  }
  return { ...options, items, values, gram: gramOfFactors(values, items, options) };
}

/** Factors of a user, from the items that the user has met; the array is written over by the next call. */
export type Solve = (met: Uint32Array) => Float64Array;

/** Solves for users of a model. */
export function userFactorsOf(factors: ItemFactors): Solve {
  return systemOf(factors, factors.gram);
}

function systemOf(
  {
    rank,
    unmetWeight,
    regularisation,
    items,
    values,
  }: FactorOptions & { items: number; values: Float64Array },
  gram = gramOfFactors(values, items, { rank, unmetWeight }),
): Solve {
  const matrix = new Float64Array(rank * rank);
  const solution = new Float64Array(rank);
  const gathered = new Float64Array(gatheredRows * rank);
  return (met) => {
    matrix.set(gram);
    solution.fill(0);
    for (let from = 0; from < met.length; from += gatheredRows) {
      const part = met.subarray(from, from + gatheredRows);
      for (const [row, item] of part.entries()) {
        for (let number = 0; number < rank; number++) {
          const value = values[item * rank + number]!;
          gathered[row * rank + number] = value;
          solution[number]! += value;
        }
      }
      addSquare(matrix, { rows: gathered, count: part.length, rank });
    }
    const held = regularisation * (met.length + unmetWeight * items);
    for (let row = 0; row < rank; row++) matrix[row * rank + row]! += held;
    solveInPlace(matrix, solution);
    return solution;
  };
}

function gramOfFactors(
  values: Float64Array,
  items: number,
  { rank, unmetWeight }: { rank: number; unmetWeight: number },
): Float64Array {
  const gram = new Float64Array(rank * rank);
  addSquare(gram, { rows: values, count: items, rank });
  return gram.map((value) => unmetWeight * value);
}

/** M += RᵀR, its lower half. */
function addSquare(
  matrix: Float64Array,
  { rows, count, rank }: { rows: Float64Array; count: number; rank: number },
): void {
  const columns = { values: rows, at: 0, line: 1, step: rank };
  const size = { side: rank, steps: count, sign: 1, isLower: true } as const;
  addProduct({ values: matrix, at: 0, line: rank }, [columns, columns], size);
}

/** Solves M·x = b by Cholesky's factor of M, of which the lower half is given; x stands in the place of b. */
function solveInPlace(matrix: Float64Array, vector: Float64Array): void {
  const side = vector.length;
  factoriseDense(matrix, 0, side);
  solveLower({ values: vector, at: 0 }, { values: matrix, at: 0 }, side);
  for (let i = side - 1; i >= 0; i--) {
    let sum = vector[i]!;
    for (let t = i + 1; t < side; t++) sum -= matrix[t * side + i]! * vector[t]!;
    vector[i] = sum / matrix[i * side + i]!;
  }
}

/** Small numbers on both sides of 0 (a linear congruential generator, Numerical Recipes): enough to tell factors apart. */
function firstFactors(length: number, seed: number): Float64Array {
  let state = seed >>> 0;
  return Float64Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 32 - 0.5) / 10;
  });
}

/** Adds to `scores` how well each item fits a user's factors. */
export function addFactorScores(
  { items, rank, values }: ItemFactors,
  user: Float64Array,
  scores: Float64Array,
): void {
  const even = items & ~3;
  // Four items at a time: each of the user's numbers is read once for them, and no addition waits for the one before it.
  for (let item = 0; item < even; item += 4) {
    const first = item * rank;
    const second = first + rank;
    const third = second + rank;
    const fourth = third + rank;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let part = 0; part < rank; part++) {
      const own = user[part]!;
      s0 += own * values[first + part]!;
      s1 += own * values[second + part]!;
      s2 += own * values[third + part]!;
      s3 += own * values[fourth + part]!;
    }
    scores[item]! += s0;
    scores[item + 1]! += s1;
    scores[item + 2]! += s2;
    scores[item + 3]! += s3;
  }
  for (let item = even; item < items; item++)
    for (let part = 0; part < rank; part++) scores[item]! += user[part]! * values[item * rank + part]!;
}
