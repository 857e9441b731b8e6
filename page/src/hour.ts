// The last hour as charts show it: tick by tick while this page looks, from the store what it has not seen.

import { useEffect, useRef, useState } from "preact/hooks";
import { get, SignedOut } from "./api.ts";
import type { Point, Timeline } from "./documents.ts";
import { Series } from "./series.ts";

export interface Hour {
  readonly follow: (point: Point) => void;
  readonly fill: (points: readonly Point[]) => void;
  readonly clear: () => void;
  readonly last: (range: number) => readonly Point[];
  /** How often time has gone back. */
  readonly turns: number;
}

/** The last hour, as far as it is known. */
export function useHour(): Hour {
  const series = useRef(new Series());
  const turns = useRef(0);
  const [, changed] = useState(0);
  const change = (act: () => void): void => {
    act();
    changed((count) => count + 1);
  };
  return {
    follow: (point) => change(() => (turns.current += Number(series.current.follow(point)))),
    fill: (points) => change(() => series.current.fill(points)),
    clear: () => change(() => series.current.clear()),
    last: (range) => series.current.last(range),
    turns: turns.current,
  };
}

/** Seconds without a tick after which the store has points that this page has not. */
const AWAY = 10;

/** Asks the store for what happened before the page was opened, while it did not look, and before time went back. */
export function usePast(ticks: number, series: Hour, onSignedOut: () => void): void {
  const looked = useRef(-Infinity);
  const turns = useRef(0);
  useEffect(() => {
    const now = Date.now() / 1000;
    const known = now - looked.current < AWAY && turns.current === series.turns;
    looked.current = now;
    turns.current = series.turns;
    if (known) return;
    get<Timeline>("timeline").then(
      ({ items }) => series.fill(items),
      (error: unknown) => {
        looked.current = -Infinity;
        if (error instanceof SignedOut) onSignedOut();
      },
    );
  }, [ticks]);
}
