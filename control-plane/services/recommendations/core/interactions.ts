/** Numbers that can be walked through and picked from. */
type NumberArray = ArrayLike<number> & Iterable<number>;

/** Who has met what, and how much it tells: a sparse matrix of users × items in compressed rows. */
export interface Interactions {
  readonly users: number;
  readonly items: number;
  /** Where each user's row begins in `itemOf` and `weights`; one more than there are users. */
  readonly offsets: Uint32Array;
  /** Items of each row, ascending, each once. */
  readonly itemOf: Uint32Array;
  /** What each entry tells of the user's taste, above 0. */
  readonly weights: Float32Array;
}

/** One entry on its way into the matrix. */
export interface Entries {
  readonly userOf: NumberArray;
  readonly itemOf: NumberArray;
  readonly weightOf: NumberArray;
}

/**
 * Sorts entries into rows, in time that grows with their number: by item, then by user, each a counting sort.
 *
 * @param entries in any order; no pair of user and item twice
 */
export function interactionsOf(
  { userOf, itemOf, weightOf }: Entries,
  { users, items }: { users: number; items: number },
): Interactions {
  const count = userOf.length;
  const byItem = sortedBy(itemOf, items, undefined).order;
  const { order, offsets } = sortedBy(userOf, users, byItem);
  const sorted = new Uint32Array(count);
  const weights = new Float32Array(count);
  for (let at = 0; at < count; at++) {
    const entry = order[at]!;
    sorted[at] = itemOf[entry]!;
    weights[at] = weightOf[entry]!;
  }
  return { users, items, offsets, itemOf: sorted, weights };
}

/** What one user has met, and what each tells: views of the matrix. */
export function rowOf(
  { offsets, itemOf, weights }: Interactions,
  user: number,
): { itemOf: Uint32Array; weights: Float32Array } {
  const [from, to] = [offsets[user], offsets[user + 1]];
  return { itemOf: itemOf.subarray(from, to), weights: weights.subarray(from, to) };
}

/** The same of some users, evenly chosen, where there are more entries than so many: rows of the others are left out. */
export function sampledUsers(matrix: Interactions, entriesMax: number): Interactions {
  const every = Math.ceil(matrix.itemOf.length / entriesMax);
  if (every <= 1) return matrix;
  const users = Math.ceil(matrix.users / every);
  const offsets = new Uint32Array(users + 1);
  for (let user = 0; user < users; user++)
    offsets[user + 1] = offsets[user]! + rowOf(matrix, user * every).itemOf.length;
  const itemOf = new Uint32Array(offsets[users]!);
  const weights = new Float32Array(offsets[users]!);
  for (let user = 0; user < users; user++) {
    const row = rowOf(matrix, user * every);
    itemOf.set(row.itemOf, offsets[user]);
    weights.set(row.weights, offsets[user]);
  }
  return { users, items: matrix.items, offsets, itemOf, weights };
}

/** The same entries with users and items in each other's place. */
export function transposed({ users, items, offsets, itemOf, weights }: Interactions): Interactions {
  const userOf = new Uint32Array(itemOf.length);
  for (let user = 0; user < users; user++) userOf.fill(user, offsets[user], offsets[user + 1]);
  return interactionsOf(
    { userOf: itemOf, itemOf: userOf, weightOf: weights },
    { users: items, items: users },
  );
}

/** Entries by their keys, those of one key in the order in which `from` names them; and where each key begins. */
function sortedBy(
  keys: NumberArray,
  distinct: number,
  from: Uint32Array | undefined,
): { order: Uint32Array; offsets: Uint32Array } {
  const offsets = new Uint32Array(distinct + 1);
  for (const key of keys) offsets[key + 1]!++;
  for (let key = 0; key < distinct; key++) offsets[key + 1]! += offsets[key]!;
  const next = offsets.slice(0, distinct);
  const order = new Uint32Array(keys.length);
  for (let at = 0; at < keys.length; at++) {
    const entry = from === undefined ? at : from[at]!;
    order[next[keys[entry]!]!++] = entry;
  }
  return { order, offsets };
}
