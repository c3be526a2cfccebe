const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes for people: three significant digits, binary units. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${byteUnits[unit] ?? 'B'}`;
}

/** Bytes to viewers, and how many of them were of pictures where there were such: `1.00 MiB, 12.0 KiB of it pictures`. */
export function formatViewed({
  playBytes,
  pictureBytes = 0,
}: {
  readonly playBytes: number;
  readonly pictureBytes?: number | undefined;
}): string {
  return formatBytes(playBytes) + (pictureBytes > 0 ? `, ${formatBytes(pictureBytes)} of it pictures` : '');
}

/** A duration for people: `850 ms`, `12.3 s`, `2:05`, `1:02:03`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 60_000) return `${(durationMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** How long ago, in words. */
export function formatAgo(timeMs: number | undefined, nowMs: number): string {
  return timeMs === undefined ? 'never' : `${formatDuration(Math.max(0, nowMs - timeMs))} ago`;
}

/** A share as a whole percentage. */
export function formatPercent(fraction: number): string {
  return `${Math.round(fraction * 100)} %`;
}

/** A bar of `width` cells, filled to `fraction`. */
export function formatBar(fraction: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

/** The first characters of a file's name: enough to tell files apart for a person. */
export function shortFile(file: string): string {
  return file.slice(0, 10);
}

/** A rate, or that there is no such cap. */
export function formatRate(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined ? 'none' : `${formatBytes(bytesPerSecond)}/s`;
}
