const sizeUnits: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1e3,
  m: 60e3,
  h: 3600e3,
  d: 86_400e3,
};

/** `10GiB`, `500 MB` or a plain number as bytes; undefined when it is none of them. */
export function parseSizeBytes(text: string): number | undefined {
  return parseQuantity(text, sizeUnits);
}

/** `250ms`, `5s`, `2m`, `72h`, `30d` or a plain number as milliseconds; undefined when it is none of them. */
export function parseDurationMs(text: string): number | undefined {
  return parseQuantity(text, durationUnits);
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(-?\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  if (match === null) return undefined;
  const [, amount = '', unit = ''] = match;
  const factor = unit === '' ? 1 : units[unit.toLowerCase()];
  return factor === undefined ? undefined : Number(amount) * factor;
}

/** `1.2Gbit`, `400 Mbit/s`, `50MB/s` or `10MiB` as whole bytes a second; undefined when it is none of them. */
export function parseRateBytesPerSecond(text: string): number | undefined {
  const amount = text.trim().replace(/\/s$/i, '');
  const bits = /^(.*\d)\s*([kmgt]?)bit$/i.exec(amount);
  const bytes =
    bits === null ? parseSizeBytes(amount) : (parseSizeBytes(`${bits[1] ?? ''}${bits[2] ?? ''}b`) ?? NaN) / 8;
  return bytes === undefined || !(bytes >= 1) ? undefined : Math.floor(bytes);
}
