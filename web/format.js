// @ts-check
// Numbers and times as people read them; all times are UTC, as in the log.

const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (value) => whole.format(value);
/** "1 run", "1,234 runs" @param {number} value @param {string} one @param {string} many */
export const amount = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;
export const short = (value) => compact.format(value);
export const fixed = (value, digits = 3) => (Number.isFinite(value) ? value.toFixed(digits) : "–");
export const percent = (share, digits = 1) => (Number.isFinite(share) ? `${(100 * share).toFixed(digits)} %` : "–");

export function tiny(value) {
  if (!Number.isFinite(value)) return "–";
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}

export const day = (millis) => new Date(millis).toISOString().slice(0, 10);
export const moment = (millis) => new Date(millis).toISOString().slice(0, 16).replace("T", " ");

export function span(start, end) {
  const whole = start % 86400000 === 0 && end % 86400000 === 0;
  if (!whole) return `${moment(start)} – ${moment(end)}`;
  const last = day(end - 1);
  return day(start) === last ? last : `${day(start)} – ${last}`;
}

export function ago(millis) {
  const minutes = Math.max(0, Math.round((Date.now() - millis) / 60000));
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 60 * 48) return `${Math.round(minutes / 60)} h ago`;
  return `${amount(Math.round(minutes / 1440), "day")} ago`;
}

export const words = (name) => {
  const text = String(name).replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};
