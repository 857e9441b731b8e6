import { strict as assert } from "node:assert";
import { test } from "node:test";
import type { Point } from "./documents.ts";
import { holes, Series } from "./series.ts";

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

const times = (series: Series): number[] => series.points.map((point) => point.at_unix_seconds);

test("points of a clock that was ahead are gone when the right time comes, and the right ones stay", () => {
  const series = new Series();
  for (let time = 10_000; time < 10_060; time += 2) series.follow(at(time));
  assert.ok(series.follow(at(9_402)), "the clock went back by ten minutes");
  assert.ok(!series.follow(at(9_404)));
  assert.deepEqual(times(series), [9_402, 9_404]);
  series.follow(at(9_404 + 7_200));
  assert.ok(series.follow(at(9_406)));
  assert.deepEqual(times(series), [9_406]);
});

test("of points a little late none is lost", () => {
  const series = new Series();
  series.follow(at(100));
  assert.ok(!series.follow(at(90)));
  assert.deepEqual(times(series), [90, 100]);
});

test("the past has nothing that is yet to come", () => {
  const series = new Series();
  series.fill([at(100), at(9_000)]);
  series.follow(at(200));
  series.fill([at(100), at(115), at(9_000)]);
  assert.deepEqual(times(series), [100, 115, 200]);
});

test("a hole is where there are no points for long, not where they have no value", () => {
  assert.deepEqual(holes([0, 15, 30, 2_000, 2_002, 2_004], [1, 1, 1, 1, null, 1]), [[30, 2_000]]);
  assert.deepEqual(holes([0, 15, 30, 45, 60, 75, 90, 105], [1, null, null, null, null, null, null, 1]), []);
  assert.deepEqual(holes([0, 15, 2_000, 2_015], [1, null, null, 1]), [[0, 2_015]]);
  assert.deepEqual(holes([0, 2_000], [null, 1]), []);
});
