/** How a dense matrix is walked through: by rows, or by columns as its transposed would be. */
export interface Walk {
  readonly values: Float64Array;
  /** Where it begins. */
  readonly at: number;
  /** From one line to the next, and from one value of a line to the next. */
  readonly line: number;
  readonly step: number;
}

/** Where a product is added. */
export interface Sum {
  readonly values: Float64Array;
  readonly at: number;
  /** From one row to the next. */
  readonly line: number;
}

export interface ProductSize {
  /** Rows and columns of the product: a multiple of 4. */
  readonly side: number;
  /** Values of a line. */
  readonly steps: number;
  readonly sign: 1 | -1;
  /** Whether the lower half is enough, as of what is symmetric; a little beside it is added too. */
  readonly isLower: boolean;
}

/** C[r][q] += sign · Σ A(r,t)·B(q,t): four rows and two columns at a time, which is what registers hold. */
export function addProduct(
  { values: c, at: cAt, line: cLine }: Sum,
  [a, b]: readonly [Walk, Walk],
  { side, steps, sign, isLower }: ProductSize,
): void {
  const { values: av, line: aLine, step: aStep } = a;
  const { values: bv, line: bLine, step: bStep } = b;
  for (let r = 0; r < side; r += 4) {
    const end = isLower ? r + 4 : side;
    for (let q = 0; q < end; q += 2) {
      let a0 = a.at + r * aLine;
      let b0 = b.at + q * bLine;
      let s00 = 0;
      let s01 = 0;
      let s10 = 0;
      let s11 = 0;
      let s20 = 0;
      let s21 = 0;
      let s30 = 0;
      let s31 = 0;
      for (let t = 0; t < steps; t++) {
        const left = bv[b0]!;
        const right = bv[b0 + bLine]!;
        const first = av[a0]!;
        s00 += first * left;
        s01 += first * right;
        const second = av[a0 + aLine]!;
        s10 += second * left;
        s11 += second * right;
        const third = av[a0 + 2 * aLine]!;
        s20 += third * left;
        s21 += third * right;
        const fourth = av[a0 + 3 * aLine]!;
        s30 += fourth * left;
        s31 += fourth * right;
        a0 += aStep;
        b0 += bStep;
      }
      const at = cAt + r * cLine + q;
      c[at]! += sign * s00;
      c[at + 1]! += sign * s01;
      c[at + cLine]! += sign * s10;
      c[at + cLine + 1]! += sign * s11;
      c[at + 2 * cLine]! += sign * s20;
      c[at + 2 * cLine + 1]! += sign * s21;
      c[at + 3 * cLine]! += sign * s30;
      c[at + 3 * cLine + 1]! += sign * s31;
    }
  }
}

/** Cholesky's factor of a square matrix by rows, in the place of its lower half; false where there is none. */
export function factoriseDense(values: Float64Array, at: number, side: number): boolean {
  for (let j = 0; j < side; j++) {
    const row = at + j * side;
    let square = values[row + j]!;
    for (let t = 0; t < j; t++) square -= values[row + t]! ** 2;
    if (!(square > 0)) return false;
    const pivot = Math.sqrt(square);
    values[row + j] = pivot;
    for (let i = j + 1; i < side; i++) {
      const below = at + i * side;
      let sum = values[below + j]!;
      for (let t = 0; t < j; t++) sum -= values[below + t]! * values[row + t]!;
      values[below + j] = sum / pivot;
    }
  }
  return true;
}

/** x := L⁻¹·x, for a vector of as many values as the factor has rows. */
export function solveLower(
  vector: { readonly values: Float64Array; readonly at: number },
  factor: { readonly values: Float64Array; readonly at: number },
  side: number,
): void {
  const { values: x, at } = vector;
  for (let j = 0; j < side; j++) {
    const line = factor.at + j * side;
    let sum = x[at + j]!;
    for (let t = 0; t < j; t++) sum -= x[at + t]! * factor.values[line + t]!;
    x[at + j] = sum / factor.values[line + j]!;
  }
}
