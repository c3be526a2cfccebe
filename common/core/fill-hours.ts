/** The hours of a fill window, in minutes of the day. */
export interface FillHours {
  readonly startMinute: number;
  readonly endMinute: number;
}

/** `02:00-14:00` as minutes of the day; an end before the start is over midnight. Undefined for anything else. */
export function parseFillHours(text: string): FillHours | undefined {
  const match = /^(\d{2}):(\d{2})-(\d{2}):(\d{2})$/.exec(text.trim());
  if (match === null) return undefined;
  const [startHour = 0, startMinutes = 0, endHour = 0, endMinutes = 0] = match.slice(1).map(Number);
  if (startHour > 23 || endHour > 23 || startMinutes > 59 || endMinutes > 59) return undefined;
  const hours = { startMinute: startHour * 60 + startMinutes, endMinute: endHour * 60 + endMinutes };
  return hours.startMinute === hours.endMinute ? undefined : hours;
}

/** The hours as they are written: `02:00-14:00`. */
export function formatFillHours({ startMinute, endMinute }: FillHours): string {
  return `${clockText(startMinute)}-${clockText(endMinute)}`;
}

function clockText(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}
