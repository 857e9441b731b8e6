// How bad a number is, by the service's own thresholds.

import type { Limits } from "./documents.ts";

export type Level = "ok" | "warn" | "critical";
export type Thresholds = Readonly<Record<string, Limits>>;

/** The level that a number is at. One that equals a threshold is still on its good side. */
export function level(limits: Limits | undefined, value: number | null | undefined): Level {
  if (limits === undefined || value === null || value === undefined) return "ok";
  const beyond = (limit: number | null): boolean => limit !== null && (limits.below ? value < limit : value > limit);
  if (beyond(limits.critical)) return "critical";
  return beyond(limits.warn) ? "warn" : "ok";
}
