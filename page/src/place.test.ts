import { strict as assert } from "node:assert";
import { test } from "node:test";
import { href, parse } from "./place.ts";

test("a route template survives the address", () => {
  const route = "/items/{id}/a b?#%";
  assert.deepEqual(parse(href("routes", "GET", route)), { view: "routes", rest: ["GET", route] });
});

test("an address that is no valid encoding is taken as it is", () => {
  assert.deepEqual(parse("#/requests/%E0%A4%A"), { view: "requests", rest: ["%E0%A4%A"] });
});

test("no address is the first view", () => {
  assert.deepEqual(parse(""), { view: "", rest: [] });
});
