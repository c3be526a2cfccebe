/** The calendar month of a moment (UTC), as `2026-01`. */
export function monthOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 7);
}

/** So many months that end with that of a moment, the earliest first. */
export function monthsUntil(atMs: number, count: number): string[] {
  const end = new Date(atMs);
  return Array.from({ length: count }, (_, index) =>
    monthOf(Date.UTC(end.getUTCFullYear(), end.getUTCMonth() - count + 1 + index)),
  );
}
