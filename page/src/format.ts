// Numbers as people read them: three digits, a unit, and a dash for what does not exist.

export const NONE = "–";
/** Spaces at which no line is broken: before a unit, and between thousands. */
const SPACE = "\u00a0";
const THIN_SPACE = "\u202f";

type Maybe = number | null | undefined;

/** Three significant digits, without an exponent, with a thin space between thousands. */
export function digits(value: number): string {
  const size = Math.abs(Number(value.toPrecision(3)));
  if (size >= 1000) return Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, THIN_SPACE);
  const places = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
  return value.toFixed(places);
}

export interface Quantity {
  readonly value: string;
  readonly unit: string;
}

const none: Quantity = { value: NONE, unit: "" };

function scaled(value: Maybe, steps: readonly (readonly [number, string])[]): Quantity {
  if (value === null || value === undefined) return none;
  const [factor, unit] = steps.find(([factor]) => Math.abs(value) >= factor) ?? steps[steps.length - 1]!;
  return { value: digits(value / factor), unit };
}

const TIME = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"], [1e-3, "ms"], [1e-6, "µs"]] as const;
const SIZE = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]] as const;
const COUNT = [[1e9, "G"], [1e6, "M"], [1e4, "k"], [1, ""]] as const;

export const seconds = (value: Maybe): Quantity => (value === 0 ? { value: "0", unit: "s" } : scaled(value, TIME));
export const bytes = (value: Maybe): Quantity => scaled(value, SIZE);
export const count = (value: Maybe): Quantity => {
  const found = scaled(value, COUNT);
  return found.unit === "k" ? { value: digits(value! / 1000), unit: "k" } : found;
};

export function ratio(value: Maybe): Quantity {
  if (value === null || value === undefined) return none;
  const percent = value * 100;
  return { value: percent !== 0 && Math.abs(percent) < 0.01 ? "<0.01" : digits(percent), unit: "%" };
}

export function perSecond(value: Maybe): Quantity {
  if (value === null || value === undefined) return none;
  return value !== 0 && value < 0.995 ? { value: digits(value * 60), unit: "/min" } : { value: digits(value), unit: "/s" };
}

/** Per second whatever the size, for numbers that are compared with each other. */
export function eachSecond(value: Maybe): Quantity {
  if (value === null || value === undefined) return none;
  return { value: value !== 0 && value < 0.005 ? "<0.01" : digits(value), unit: "/s" };
}

export const text = ({ value, unit }: Quantity): string => (unit ? value + SPACE + unit : value);

/** So many of something, in the singular or the plural. */
export const counted = (value: number, one: string): string => `${digits(value)}${SPACE}${one}${value === 1 ? "" : "s"}`;

/** What lies between two durations, with their unit once where it is the same. */
export function between(low: number, high: number): string {
  const [from, to] = [seconds(low), seconds(high)];
  if (from.value === to.value && from.unit === to.unit) return text(to);
  return `${from.unit === to.unit ? from.value : text(from)}–${text(to)}`;
}

/** A number in the unit of a threshold. */
export function inUnit(value: number, unit: string): string {
  if (unit === "seconds") return text(seconds(value));
  if (unit === "ratio") return text(ratio(value));
  return unit === "count" ? digits(value) : digits(value) + SPACE + unit;
}

/** The time of day here, to the second. */
export function clock(unixSeconds: number): string {
  const time = new Date(unixSeconds * 1000);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => `${part}`.padStart(2, "0")).join(":");
}

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]] as const;

/** How long ago, in whole units, of which there are two at least but for seconds. */
export function ago(unixSeconds: number, now: number = Date.now() / 1000): string {
  const passed = Math.max(0, now - unixSeconds);
  const [size, unit] = UNITS.find(([size]) => passed >= 2 * size) ?? [1, "s"];
  return passed < 1 ? "now" : `${text({ value: `${Math.floor(passed / size)}`, unit })}${SPACE}ago`;
}
