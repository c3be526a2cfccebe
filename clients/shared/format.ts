const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes for people. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.round(value) >= 1000 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  const text = unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1);
  return `${text} ${byteUnits[unit] ?? 'B'}`;
}

/** Bits per second for people. */
export function formatBitrate(bitsPerSecond: number): string {
  if (bitsPerSecond >= 999.95e6) return `${(bitsPerSecond / 1e9).toFixed(1)} Gb/s`;
  if (bitsPerSecond >= 999.5e3) return `${(bitsPerSecond / 1e6).toFixed(1)} Mb/s`;
  return `${Math.round(bitsPerSecond / 1e3)} kb/s`;
}

/** A whole number with its thousands set apart. */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** A share in whole per cent; what is neither nothing nor all never shows as such. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0 || part <= 0) return '0 %';
  const percent = Math.round((100 * part) / whole);
  return `${part < whole ? Math.min(99, Math.max(1, percent)) : 100} %`;
}

/** The time of the day, to the second or, `tenths`, finer. */
export function formatClock(timeMs: number, { tenths = false } = {}): string {
  const text = new Date(timeMs).toTimeString().slice(0, 8);
  return tenths ? `${text}.${Math.floor((timeMs % 1000) / 100)}` : text;
}

/** A day and the time of it, to the minute. */
export function formatTime(timeMs: number): string {
  const at = new Date(timeMs);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** A position in a film: minutes and seconds, with hours where there are any. */
export function formatPosition(positionMs: number): string {
  const seconds = Math.floor(positionMs / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = String(seconds % 60).padStart(2, '0');
  return hours === 0 ? `${minutes}:${tail}` : `${hours}:${String(minutes).padStart(2, '0')}:${tail}`;
}

/** How long something took, in its two largest units. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ] as const;
  const first = units.findIndex(([, size]) => seconds >= size);
  const parts = units.slice(first, first + 2).map(([unit, size], index) => {
    const above = units[first + index - 1]?.[1];
    const rest = index === 0 || above === undefined ? seconds : seconds % above;
    return [Math.floor(rest / size), unit] as const;
  });
  return parts
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}
