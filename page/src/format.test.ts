import { strict as assert } from "node:assert";
import { test } from "node:test";
import { ago, between, bytes, count, digits, eachSecond, inUnit, perSecond, type Quantity, ratio, seconds, text } from "./format.ts";

/** With ordinary spaces, so that it can be read here. */
const readable = (shown: string): string => shown.replace(/[\u00a0\u202f]/g, " ");
const read = (quantity: Quantity): string => readable(text(quantity));

test("three digits, whatever the size", () => {
  assert.deepEqual([0, 1, 0.123, 1.5, 12.34, 123.4, 1234567, 9.996, 99.96, 999.6].map((value) => readable(digits(value))), [
    "0", "1", "0.12", "1.50", "12.3", "123", "1 234 567", "10.0", "100", "1 000",
  ]);
});

test("durations take the largest unit that fits", () => {
  assert.deepEqual([0, 2.5e-6, 0.0123, 1.5, 90, 7200, 200000].map((value) => read(seconds(value))), [
    "0 s", "2.50 µs", "12.3 ms", "1.50 s", "1.50 min", "2 h", "2.31 d",
  ]);
});

test("what does not exist is a dash", () => {
  assert.deepEqual([seconds(null), bytes(undefined), ratio(null), perSecond(null)].map(text), ["–", "–", "–", "–"]);
});

test("shares are percent, and a small one is not called none", () => {
  assert.deepEqual([0, 0.00001, 0.0421, 1].map((value) => read(ratio(value))), ["0 %", "<0.01 %", "4.21 %", "100 %"]);
});

test("seldom things are per minute", () => {
  assert.deepEqual([0, 0.5, 12].map((value) => read(perSecond(value))), ["0 /s", "30 /min", "12 /s"]);
});

test("what is compared with each other is per second all the same", () => {
  assert.deepEqual([0, 0.001, 0.5, 12].map((value) => read(eachSecond(value))), ["0 /s", "<0.01 /s", "0.50 /s", "12 /s"]);
});

test("sizes, counts, and thresholds in their units", () => {
  assert.equal(read(bytes(1536)), "1.50 KiB");
  assert.equal(read(count(12345)), "12.3 k");
  assert.equal(readable(inUnit(0.2, "seconds")), "200 ms");
  assert.equal(readable(inUnit(0.05, "ratio")), "5 %");
  assert.equal(inUnit(50, "count"), "50");
});

test("two bounds name their unit once where it is the same", () => {
  assert.deepEqual([between(0.072, 0.112), between(0.96, 1.02), between(2, 2)].map(readable), [
    "72–112 ms", "960 ms–1.02 s", "2 s",
  ]);
});

test("no line is broken within a number, or before its unit", () => {
  for (const shown of [text(seconds(0.2)), text(perSecond(7)), digits(1234567), inUnit(0.2, "score"), between(1, 2)]) {
    assert.ok(!shown.includes(" "), shown);
  }
});

test("how long ago", () => {
  assert.equal(ago(100, 100.4), "now");
  assert.deepEqual([1.9, 90, 120, 7199, 7200, 200000].map((passed) => readable(ago(100, 100 + passed))), [
    "1 s ago", "90 s ago", "2 min ago", "119 min ago", "2 h ago", "2 d ago",
  ]);
});
