// What happened in the last hour, point by point: of every 15 seconds from the store, of every tick while this page looks.

import type { Point } from "./documents.ts";

export const HOUR = 3600;
/** Points older than this are thinned out to one a step, as the store has them. */
const FINE = 330;
const STEP = 15;
/** Seconds without a point after which nothing is known of what was between: a few steps. */
export const HOLE = 4 * STEP;

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

  /** A point of now. Returns whether those that are later are gone: the service's clock went back, or was wrong when they came. */
  follow(point: Point): boolean {
    const before = this.#points.length;
    this.#points = this.#points.filter((one) => one.at_unix_seconds <= point.at_unix_seconds + STEP);
    const back = this.#points.length < before;
    this.add(point);
    return back;
  }

  /** Points of the past, of which there are none after the last one of now. */
  fill(points: readonly Point[]): void {
    const end = this.#points.at(-1)?.at_unix_seconds ?? Infinity;
    this.add(...points.filter((point) => point.at_unix_seconds <= end + STEP));
  }

  clear(): void {
    this.#points = [];
  }

  /** The points of the last `range` seconds before `end`. */
  last(range: number, end: number = this.#points.at(-1)?.at_unix_seconds ?? 0): Point[] {
    return this.#points.filter((point) => end - point.at_unix_seconds <= range);
  }
}

/** From when to when a line has a hole: between the values around a time of which nothing is known. Steps without a value are none. */
export function holes(times: ArrayLike<number>, values: ArrayLike<number | null | undefined>): [number, number][] {
  const found: [number, number][] = [];
  let last: number | undefined;
  let unknown = false;
  for (let index = 0; index < times.length; index++) {
    const time = times[index]!;
    unknown ||= time - (times[index - 1] ?? time) > HOLE;
    if (values[index] === null || values[index] === undefined) continue;
    if (unknown && last !== undefined) found.push([last, time]);
    last = time;
    unknown = false;
  }
  return found;
}
