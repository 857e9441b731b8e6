// A number over time, drawn by uPlot. All charts of a view share one cursor.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Limits, Point } from "../documents.ts";
import { NONE } from "../format.ts";
import { Term } from "./hint.tsx";

export interface Line {
  readonly name: string;
  /** The name of a colour in the style sheet. */
  readonly colour: string;
  readonly of: (point: Point) => number | null;
  readonly filled?: boolean;
}

interface Props {
  readonly title: string;
  readonly hint: string;
  readonly lines: readonly Line[];
  readonly points: readonly Point[];
  readonly range: number;
  readonly format: (value: number | null | undefined) => string;
  readonly budget?: Limits | undefined;
  readonly theme: string;
}

const HEIGHT = 190;
/** Seconds that a chart shows at least. */
const SHORTEST = 60;

export function Chart({ title, hint, lines, points, range, format, budget, theme }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [at, setAt] = useState<number | null>(null);
  const data = useMemo(() => columns(points, lines), [points]);
  const state = useRef<State>({ budget, start: 0, end: 0 });
  state.current = { budget, ...extent(points, range) };

  useEffect(() => {
    const element = box.current!;
    const made = new uPlot(options(element, lines, format, () => state.current, setAt), data, element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [theme]);

  useEffect(() => plot.current?.setData(data), [data, range, budget]);

  const shown = at ?? points.length - 1;
  return (
    <figure class="card chart">
      <figcaption>
        <h2><Term hint={hint}>{title}</Term></h2>
        <ul class="legend">
          {lines.map((line) => (
            <li key={line.name}>
              <i class={`swatch ${line.colour}`} />{line.name} <b>{points[shown] ? format(line.of(points[shown])) : NONE}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div class="plot" ref={box} role="img" aria-label={describe(title, lines, points, format)} />
    </figure>
  );
}

function describe(title: string, lines: readonly Line[], points: readonly Point[], format: Props["format"]): string {
  const last = points.at(-1);
  if (!last) return `${title}: no data yet`;
  return `${title}, now: ${lines.map((line) => `${line.name} ${format(line.of(last))}`).join(", ")}`;
}

function columns(points: readonly Point[], lines: readonly Line[]): uPlot.AlignedData {
  return [
    points.map((point) => point.at_unix_seconds),
    ...lines.map((line) => points.map(line.of)),
  ] as uPlot.AlignedData;
}

interface State {
  readonly budget: Limits | undefined;
  readonly start: number;
  readonly end: number;
}

/** From when to when: the whole range, or while there is less, what there is. */
export function extent(points: readonly Point[], range: number): { start: number; end: number } {
  const end = points.at(-1)?.at_unix_seconds ?? 0;
  const known = end - (points[0]?.at_unix_seconds ?? end);
  return { start: end - Math.min(range, Math.max(SHORTEST, known)), end };
}

const TIME_OF_DAY = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const SECONDS_TOO = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

function times(values: readonly number[]): string[] {
  const format = values.every((value) => value % 60 === 0) ? TIME_OF_DAY : SECONDS_TOO;
  return values.map((value) => format.format(value * 1000));
}

function options(
  element: HTMLElement,
  lines: readonly Line[],
  format: Props["format"],
  state: () => State,
  onCursor: (index: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const font = `11px ${style.fontFamily}`;
  const axis = { stroke: colour("quiet"), font, ticks: { show: false }, grid: { stroke: colour("line"), width: 1 } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [10, 8, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "time" }, y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: () => [state().start, state().end] },
      y: { range: (_, low, high) => [Math.min(0, low), top(high, state().budget)] },
    },
    axes: [
      { ...axis, size: 28, grid: { show: false }, space: 80, values: (_, values) => times(values) },
      { ...axis, size: 64, splits: (_u, _i, low, high) => splits(low, high), values: (_, values) => values.map(format) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.name,
        stroke: colour(line.colour),
        width: 1.75,
        spanGaps: true,
        points: { show: false },
        ...(line.filled ? { fill: `${colour(line.colour)}22` } : {}),
      })),
    ],
    hooks: {
      setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)],
      draw: [(plot) => drawBudget(plot, state().budget, colour)],
    },
  };
}

/** A little above the highest value; a budget is in the picture when it is not far away. */
export function top(high: number, budget: Limits | undefined): number {
  const limits = [budget?.warn, budget?.critical].filter((limit) => limit !== null && limit !== undefined);
  const near = limits.filter((limit) => limit <= high * 2.5);
  // A line at zero lies on a scale that has something to compare it with.
  return (Math.max(high, ...near) || (limits[0] ?? 1)) * 1.12;
}

/** Five round numbers at most. */
export function splits(low: number, high: number): number[] {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? rough;
  return Array.from({ length: Math.floor(high / step) + 1 }, (_, index) => index * step);
}

function drawBudget(plot: uPlot, budget: Limits | undefined, colour: (name: string) => string): void {
  const { ctx, bbox } = plot;
  for (const [limit, name] of [[budget?.warn, "warn"], [budget?.critical, "critical"]] as const) {
    if (limit === null || limit === undefined) continue;
    const y = Math.round(plot.valToPos(limit, "y", true)) + 0.5;
    if (y < bbox.top) continue;
    ctx.save();
    ctx.strokeStyle = colour(name);
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }
}
