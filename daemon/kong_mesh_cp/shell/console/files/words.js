// Numbers and times in words.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const counted = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** A time that has passed, as its largest unit: `14 min`. */
export function duration(milliseconds) {
  if (milliseconds < MINUTE) return `${Math.max(0, Math.floor(milliseconds / SECOND))} s`;
  if (milliseconds < HOUR) return `${Math.floor(milliseconds / MINUTE)} min`;
  if (milliseconds < 2 * DAY) return `${Math.floor(milliseconds / HOUR)} h`;
  return `${Math.floor(milliseconds / DAY)} d`;
}

/** `2032-11-09 00:00 UTC`, of an instant as the API writes it. */
export const instant = (text) => (text ? `${text.slice(0, 10)} ${text.slice(11, 16)} UTC` : "");

export const since = (text, now) => (text ? duration(now - Date.parse(text)) : "");

/** `2026-11-30`, in UTC. */
export const dayOf = (milliseconds) => new Date(milliseconds).toISOString().slice(0, 10);

/** A line of comma-separated values (RFC 4180). What a spreadsheet would take for a formula is text. */
export function csv(values) {
  const cell = (value) => {
    const text = /^[=+\-@\t\r]/.test(String(value)) && typeof value !== "number" ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${values.map(cell).join(",")}\r\n`;
}
