// What happened in the last hour, point by point: of every 15 seconds from the store, of every tick while this page looks.

import type { Point } from "./documents.ts";

export const HOUR = 3600;
/** Points older than this are thinned out to one a step, as the store has them. */
const FINE = 330;
const STEP = 15;

export class Series {
  #points: Point[] = [];

  get points(): readonly Point[] {
    return this.#points;
  }

  /** Points in any order; those that are there already, or older than an hour, are left out. */
  add(...points: readonly Point[]): void {
    const all = [...this.#points, ...points].sort((one, other) => one.at_unix_seconds - other.at_unix_seconds);
    const end = all.at(-1)?.at_unix_seconds ?? 0;
    const kept: Point[] = [];
    for (const point of all) {
      if (end - point.at_unix_seconds > HOUR) continue;
      const apart = end - point.at_unix_seconds > FINE ? STEP * 0.8 : 0.5;
      const before = kept.at(-1);
      if (before === undefined || point.at_unix_seconds - before.at_unix_seconds >= apart) kept.push(point);
    }
    this.#points = kept;
  }

  clear(): void {
    this.#points = [];
  }

  /** The points of the last `range` seconds before `end`. */
  last(range: number, end: number = this.#points.at(-1)?.at_unix_seconds ?? 0): Point[] {
    return this.#points.filter((point) => end - point.at_unix_seconds <= range);
  }
}
