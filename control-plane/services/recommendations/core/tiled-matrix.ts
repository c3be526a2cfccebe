import { within, type Work } from './work.ts';

/** Rows and columns of a tile: three tiles of doubles stay in a core's nearer caches. */
const tileSide = 64;
const tileSize = tileSide * tileSide;

/**
 * The lower half of a symmetric matrix, as square tiles that each lie together in memory: half of what the whole would take.
 * Rows beyond `side` fill the last tiles up, as those of the identity.
 */
export interface TiledMatrix {
  readonly side: number;
  readonly tilesAcross: number;
  readonly values: Float64Array;
}

/** A matrix of zeros, with the identity where tiles are filled up. */
export function createTiledMatrix(side: number): TiledMatrix {
  const tilesAcross = Math.ceil(side / tileSide);
  const values = new Float64Array(((tilesAcross * (tilesAcross + 1)) / 2) * tileSize);
  for (let row = side; row < tilesAcross * tileSide; row++) values[placeOf(row, row)] = 1;
  return { side, tilesAcross, values };
}

/** Where the value of a row, and of a column that is not beyond it, lies. */
export function placeOf(row: number, column: number): number {
  const inTile = (row % tileSide) * tileSide + (column % tileSide);
  return tileAt(Math.floor(row / tileSide), Math.floor(column / tileSide)) + inTile;
}

/** Where a tile begins; `row` is not less than `column`. */
function tileAt(row: number, column: number): number {
  return ((row * (row + 1)) / 2 + column) * tileSize;
}

/**
 * Puts the inverse of a symmetric positive definite matrix in its place: Cholesky's factor, the inverse of that, and the
 * product of it with itself (as LAPACK's dpotrf and dpotri), tile by tile. Takes side³ operations.
 *
 * @returns false where the matrix is not positive definite; it is spoilt then
 */
export function* invert(matrix: TiledMatrix): Work<boolean> {
  if (!(yield* within([0, 1 / 3], factorise(matrix)))) return false;
  yield* within([1 / 3, 2 / 3], invertFactor(matrix));
  yield* within([2 / 3, 1], squareFactor(matrix));
  return true;
}

/** A tile and how it is walked through: by rows, or by columns as its transposed would be. */
interface Tile {
  readonly values: Float64Array;
  readonly at: number;
  readonly line: number;
  readonly step: number;
}

const rowsOf = (values: Float64Array, at: number): Tile => ({ values, at, line: tileSide, step: 1 });
const columnsOf = (values: Float64Array, at: number): Tile => ({ values, at, line: 1, step: tileSide });

/** A := L where A = L·Lᵀ. */
function* factorise({ tilesAcross, values }: TiledMatrix): Work<boolean> {
  for (let k = 0; k < tilesAcross; k++) {
    const diagonal = tileAt(k, k);
    if (!factoriseTile(values, diagonal)) return false;
    for (let i = k + 1; i < tilesAcross; i++) solveRows(values, tileAt(i, k), diagonal);
    for (let i = k + 1; i < tilesAcross; i++) {
      const left = rowsOf(values, tileAt(i, k));
      for (let j = k + 1; j <= i; j++)
        addProduct({ values, at: tileAt(i, j) }, [left, rowsOf(values, tileAt(j, k))], -1);
    }
    yield 1 - (1 - (k + 1) / tilesAcross) ** 3;
  }
  return true;
}

/** L := L⁻¹, from the last column to the first, each from its foot up: a value needs only those behind and above it. */
function* invertFactor({ tilesAcross, values }: TiledMatrix): Work<void> {
  const product = new Float64Array(tileSize);
  for (let j = tilesAcross - 1; j >= 0; j--) {
    const diagonal = tileAt(j, j);
    invertTile(values, diagonal);
    for (let i = tilesAcross - 1; i > j; i--) {
      product.fill(0);
      for (let k = j + 1; k <= i; k++)
        addProduct(
          { values: product, at: 0 },
          [rowsOf(values, tileAt(i, k)), columnsOf(values, tileAt(k, j))],
          1,
        );
      const target = tileAt(i, j);
      values.fill(0, target, target + tileSize);
      addProduct({ values, at: target }, [rowsOf(product, 0), columnsOf(values, diagonal)], -1);
    }
    yield (1 - j / tilesAcross) ** 3;
  }
}

/** W := Wᵀ·W, from the first row on: a row needs only itself and those below. */
function* squareFactor({ tilesAcross, values }: TiledMatrix): Work<void> {
  const product = new Float64Array(tileSize);
  for (let i = 0; i < tilesAcross; i++) {
    for (let j = 0; j <= i; j++) {
      product.fill(0);
      for (let k = i; k < tilesAcross; k++)
        addProduct(
          { values: product, at: 0 },
          [columnsOf(values, tileAt(k, i)), columnsOf(values, tileAt(k, j))],
          1,
        );
      values.set(product, tileAt(i, j));
    }
    yield 1 - (1 - (i + 1) / tilesAcross) ** 3;
  }
}

/** C[r][q] += sign · Σ A(r,t)·B(q,t): four rows and two columns at a time, which is what registers hold. */
function addProduct(
  { values: c, at: cAt }: Pick<Tile, 'values' | 'at'>,
  [a, b]: readonly [Tile, Tile],
  sign: 1 | -1,
): void {
  const { values: av, line: aLine, step: aStep } = a;
  const { values: bv, line: bLine, step: bStep } = b;
  for (let r = 0; r < tileSide; r += 4) {
    for (let q = 0; q < tileSide; q += 2) {
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
      for (let t = 0; t < tileSide; t++) {
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
      const at = cAt + r * tileSide + q;
      c[at]! += sign * s00;
      c[at + 1]! += sign * s01;
      c[at + tileSide]! += sign * s10;
      c[at + tileSide + 1]! += sign * s11;
      c[at + 2 * tileSide]! += sign * s20;
      c[at + 2 * tileSide + 1]! += sign * s21;
      c[at + 3 * tileSide]! += sign * s30;
      c[at + 3 * tileSide + 1]! += sign * s31;
    }
  }
}

/** Cholesky's factor of one tile in its place, zeros above the diagonal; false where there is none. */
function factoriseTile(values: Float64Array, at: number): boolean {
  for (let j = 0; j < tileSide; j++) {
    const row = at + j * tileSide;
    let square = values[row + j]!;
    for (let t = 0; t < j; t++) square -= values[row + t]! ** 2;
    if (!(square > 0)) return false;
    const pivot = Math.sqrt(square);
    values[row + j] = pivot;
    values.fill(0, row + j + 1, row + tileSide);
    for (let i = j + 1; i < tileSide; i++) {
      const below = at + i * tileSide;
      let sum = values[below + j]!;
      for (let t = 0; t < j; t++) sum -= values[below + t]! * values[row + t]!;
      values[below + j] = sum / pivot;
    }
  }
  return true;
}

/** X := X·L⁻ᵀ, for each row of a tile. */
function solveRows(values: Float64Array, at: number, factor: number): void {
  for (let row = at; row < at + tileSize; row += tileSide) {
    for (let j = 0; j < tileSide; j++) {
      const line = factor + j * tileSide;
      let sum = values[row + j]!;
      for (let t = 0; t < j; t++) sum -= values[row + t]! * values[line + t]!;
      values[row + j] = sum / values[line + j]!;
    }
  }
}

/** L := L⁻¹ of one tile, from its last column on. */
function invertTile(values: Float64Array, at: number): void {
  for (let j = tileSide - 1; j >= 0; j--) {
    const inverse = 1 / values[at + j * tileSide + j]!;
    for (let i = tileSide - 1; i > j; i--) {
      const row = at + i * tileSide;
      let sum = 0;
      for (let t = j + 1; t <= i; t++) sum += values[row + t]! * values[at + t * tileSide + j]!;
      values[row + j] = -sum * inverse;
    }
    values[at + j * tileSide + j] = inverse;
  }
}
