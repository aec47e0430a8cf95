// Numbers, sizes and times as people read them.

const numbers = new Intl.NumberFormat("en");
const moments = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** 12,345 */
export function count(number) {
  return numbers.format(number);
}

/** "1 row", "12,345 rows" */
export function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** "1 subgroup", "2 subgroups and 4 projects" */
export function countedFamily(subgroups, projects) {
  const parts = [subgroups > 0 ? counted(subgroups, "subgroup") : null, projects > 0 ? counted(projects, "project") : null];
  return parts.filter(Boolean).join(" and ");
}

/** Bytes with a decimal unit: 4.64 kB */
export function bytes(number) {
  let unit = 0;
  let value = number;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** The same for round numbers: 5 MB */
export function roundBytes(number) {
  return bytes(number).replace(/\.0+ /, " ");
}

/** Milliseconds: 7 ms, 1.4 s, 2 min 5 s, 3 h 12 min */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A whole percentage that says 100 only at the end. */
export function percent(part, whole) {
  if (whole <= 0) return 0;
  return part >= whole ? 100 : Math.min(99, Math.floor((100 * part) / whole));
}

/** A moment in the reader's time zone. */
export function moment(iso) {
  const date = new Date(iso);
  return Number.isNaN(date.valueOf()) ? iso : moments.format(date);
}
