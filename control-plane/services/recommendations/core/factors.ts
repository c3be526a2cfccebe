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

/** M += RᵀR, its lower half and a little beside it: four rows and two columns at a time, which is what registers hold. */
function addSquare(
  matrix: Float64Array,
  { rows, count, rank }: { rows: Float64Array; count: number; rank: number },
): void {
  const end = count * rank;
  for (let r = 0; r < rank; r += 4) {
    for (let q = 0; q < r + 4; q += 2) {
      let s00 = 0;
      let s01 = 0;
      let s10 = 0;
      let s11 = 0;
      let s20 = 0;
      let s21 = 0;
      let s30 = 0;
      let s31 = 0;
      for (let row = 0; row < end; row += rank) {
        const left = rows[row + q]!;
        const right = rows[row + q + 1]!;
        const first = rows[row + r]!;
        s00 += first * left;
        s01 += first * right;
        const second = rows[row + r + 1]!;
        s10 += second * left;
        s11 += second * right;
        const third = rows[row + r + 2]!;
        s20 += third * left;
        s21 += third * right;
        const fourth = rows[row + r + 3]!;
        s30 += fourth * left;
        s31 += fourth * right;
      }
      const at = r * rank + q;
      matrix[at]! += s00;
      matrix[at + 1]! += s01;
      matrix[at + rank]! += s10;
      matrix[at + rank + 1]! += s11;
      matrix[at + 2 * rank]! += s20;
      matrix[at + 2 * rank + 1]! += s21;
      matrix[at + 3 * rank]! += s30;
      matrix[at + 3 * rank + 1]! += s31;
    }
  }
}

/** Solves M·x = b by Cholesky's factor of M, of which the lower half is given; x stands in the place of b. */
function solveInPlace(matrix: Float64Array, vector: Float64Array): void {
  const side = vector.length;
  for (let j = 0; j < side; j++) {
    let square = matrix[j * side + j]!;
    for (let t = 0; t < j; t++) square -= matrix[j * side + t]! ** 2;
    const pivot = Math.sqrt(square);
    matrix[j * side + j] = pivot;
    for (let i = j + 1; i < side; i++) {
      let sum = matrix[i * side + j]!;
      for (let t = 0; t < j; t++) sum -= matrix[i * side + t]! * matrix[j * side + t]!;
      matrix[i * side + j] = sum / pivot;
    }
    let sum = vector[j]!;
    for (let t = 0; t < j; t++) sum -= matrix[j * side + t]! * vector[t]!;
    vector[j] = sum / pivot;
  }
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
  for (let item = 0; item < items; item++) {
    let score = 0;
    for (let part = 0; part < rank; part++) score += user[part]! * values[item * rank + part]!;
    scores[item]! += score;
  }
}
