// Numbers as people read them: three digits, a unit, and a dash for what does not exist.

export const NONE = "–";

type Maybe = number | null | undefined;

/** Three significant digits, without an exponent, with a thin space between thousands. */
export function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, " ");
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

export const text = ({ value, unit }: Quantity): string => (unit ? `${value} ${unit}` : value);

/** A number in the unit of a threshold. */
export function inUnit(value: number, unit: string): string {
  if (unit === "seconds") return text(seconds(value));
  if (unit === "ratio") return text(ratio(value));
  return unit === "count" ? digits(value) : `${digits(value)} ${unit}`;
}

/** The time of day, to the second. */
export function clock(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}

/** How long ago, in the largest unit that fits. */
export function ago(unixSeconds: number, now: number = Date.now() / 1000): string {
  const passed = Math.max(0, now - unixSeconds);
  return passed < 1 ? "now" : `${text(seconds(Math.floor(passed)))} ago`;
}
