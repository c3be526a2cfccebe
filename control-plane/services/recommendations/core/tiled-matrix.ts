import { addProduct, factoriseDense, solveLower, type Walk } from './dense.ts';
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

const rowsOf = (values: Float64Array, at: number): Walk => ({ values, at, line: tileSide, step: 1 });
const columnsOf = (values: Float64Array, at: number): Walk => ({ values, at, line: 1, step: tileSide });
const tileProduct = { side: tileSide, steps: tileSide, isLower: false } as const;
const added = { ...tileProduct, sign: 1 } as const;
const taken = { ...tileProduct, sign: -1 } as const;

/** A := L where A = L·Lᵀ. */
function* factorise({ tilesAcross, values }: TiledMatrix): Work<boolean> {
  for (let k = 0; k < tilesAcross; k++) {
    const diagonal = tileAt(k, k);
    if (!factoriseTile(values, diagonal)) return false;
    for (let i = k + 1; i < tilesAcross; i++) solveRows(values, tileAt(i, k), diagonal);
    for (let i = k + 1; i < tilesAcross; i++) {
      const left = rowsOf(values, tileAt(i, k));
      for (let j = k + 1; j <= i; j++)
        addProduct({ values, at: tileAt(i, j), line: tileSide }, [left, rowsOf(values, tileAt(j, k))], taken);
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
          { values: product, at: 0, line: tileSide },
          [rowsOf(values, tileAt(i, k)), columnsOf(values, tileAt(k, j))],
          added,
        );
      const target = tileAt(i, j);
      values.fill(0, target, target + tileSize);
      addProduct(
        { values, at: target, line: tileSide },
        [rowsOf(product, 0), columnsOf(values, diagonal)],
        taken,
      );
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
          { values: product, at: 0, line: tileSide },
          [columnsOf(values, tileAt(k, i)), columnsOf(values, tileAt(k, j))],
          added,
        );
      values.set(product, tileAt(i, j));
    }
    yield 1 - (1 - (i + 1) / tilesAcross) ** 3;
  }
}

/** Cholesky's factor of one tile in its place, zeros above the diagonal; false where there is none. */
function factoriseTile(values: Float64Array, at: number): boolean {
  if (!factoriseDense(values, at, tileSide)) return false;
  for (let row = 0; row < tileSide; row++)
    values.fill(0, at + row * tileSide + row + 1, at + (row + 1) * tileSide);
  return true;
}

/** X := X·L⁻ᵀ, for each row of a tile. */
function solveRows(values: Float64Array, at: number, factor: number): void {
  for (let row = at; row < at + tileSize; row += tileSide)
    solveLower({ values, at: row }, { values, at: factor }, tileSide);
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
