import { strict as assert } from "node:assert";
import { test } from "node:test";
import type { Point } from "./documents.ts";
import { Series } from "./series.ts";

const at = (time: number): Point => ({ at_unix_seconds: time, routes: {} }) as Point;

test("points are in order and none is there twice", () => {
  const series = new Series();
  series.add(at(30), at(10));
  series.add(at(20), at(30));
  assert.deepEqual(series.points.map((point) => point.at_unix_seconds), [10, 20, 30]);
});

test("eight hours of ticks leave no more than an hour of points, the old ones thinned out", () => {
  const series = new Series();
  let most = 0;
  for (let time = 0; time < 8 * 3600; time += 2) {
    series.add(at(time));
    most = Math.max(most, series.points.length);
  }
  assert.ok(most < 500, `${most}`);
  const times = series.points.map((point) => point.at_unix_seconds);
  assert.ok(times.at(-1)! - times[0]! <= 3600);
  assert.ok(times.at(-1)! - times[0]! > 3500);
});

test("a range is counted back from the last point", () => {
  const series = new Series();
  series.add(at(10), at(100), at(200));
  assert.deepEqual(series.last(100).map((point) => point.at_unix_seconds), [100, 200]);
});
