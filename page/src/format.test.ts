import { strict as assert } from "node:assert";
import { test } from "node:test";
import { ago, bytes, count, digits, inUnit, perSecond, ratio, seconds, text } from "./format.ts";

test("three digits, whatever the size", () => {
  assert.deepEqual([0, 1, 0.123, 1.5, 12.34, 123.4, 1234567].map(digits), [
    "0", "1", "0.12", "1.50", "12.3", "123", "1 234 567",
  ]);
});

test("durations take the largest unit that fits", () => {
  assert.deepEqual([0, 2.5e-6, 0.0123, 1.5, 90, 7200, 200000].map((value) => text(seconds(value))), [
    "0 s", "2.50 µs", "12.3 ms", "1.50 s", "1.50 min", "2 h", "2.31 d",
  ]);
});

test("what does not exist is a dash", () => {
  assert.deepEqual([seconds(null), bytes(undefined), ratio(null), perSecond(null)].map(text), ["–", "–", "–", "–"]);
});

test("shares are percent, and a small one is not called none", () => {
  assert.deepEqual([0, 0.00001, 0.0421, 1].map((value) => text(ratio(value))), ["0 %", "<0.01 %", "4.21 %", "100 %"]);
});

test("seldom things are per minute", () => {
  assert.deepEqual([0, 0.5, 12].map((value) => text(perSecond(value))), ["0 /s", "30 /min", "12 /s"]);
});

test("sizes, counts, and thresholds in their units", () => {
  assert.equal(text(bytes(1536)), "1.50 KiB");
  assert.equal(text(count(12345)), "12.3 k");
  assert.equal(inUnit(0.2, "seconds"), "200 ms");
  assert.equal(inUnit(0.05, "ratio"), "5 %");
  assert.equal(inUnit(50, "count"), "50");
});

test("how long ago", () => {
  assert.equal(ago(100, 100.4), "now");
  assert.equal(ago(100, 190), "1.50 min ago");
});
