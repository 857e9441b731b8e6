// How charts are drawn, by uPlot. A file of its own, asked for when there is something to draw.

import uPlot from "uplot";
import type { Limits } from "../documents.ts";
import { holes } from "../series.ts";
import type { Line } from "./chart.tsx";

export const HEIGHT = 190;

/** Pixels of half a label of the axis of times: the last one may stand at the very end. */
const HALF_A_TIME = 26;

/** From when to when, as Unix time, and what else lies in the picture. */
export interface Frame {
  readonly budget: Limits | undefined;
  readonly start: number;
  readonly end: number;
}

export interface Look {
  readonly lines: readonly Line[];
  readonly format: (value: number | null | undefined) => string;
  /** What the axis says for Unix times. */
  readonly times: (values: readonly number[]) => string[];
  readonly frame: () => Frame;
  /** Told which point the cursor is at. */
  readonly onCursor: (index: number | null) => void;
}

export interface Plot {
  readonly setData: (data: uPlot.AlignedData) => void;
  readonly destroy: () => void;
}

/** Draws into an element, as wide as it is, now and later. */
export function draw(element: HTMLElement, look: Look, data: uPlot.AlignedData): Plot {
  const plot = new uPlot(options(element, look), data, element);
  const resized = new ResizeObserver(() => {
    if (plot.width !== element.clientWidth) plot.setSize({ width: element.clientWidth, height: HEIGHT });
  });
  resized.observe(element);
  return {
    setData: (changed) => plot.setData(changed),
    destroy: () => {
      resized.disconnect();
      plot.destroy();
    },
  };
}

/** Seconds from one time on the axis to the next. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800];

function options(element: HTMLElement, { lines, format, times, frame, onCursor }: Look): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const font = `11px ${style.fontFamily}`;
  const axis = { stroke: colour("quiet"), font, ticks: { show: false }, grid: { stroke: colour("line"), width: 1 } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [10, HALF_A_TIME, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "time" }, y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: () => [frame().start, frame().end] },
      y: { range: (_, low, high) => [Math.min(0, low), top(high, frame().budget)] },
    },
    axes: [
      { ...axis, size: 28, grid: { show: false }, space: 72, incrs: STEPS, values: (_, values) => times(values) },
      { ...axis, size: 64, splits: (_u, _i, low, high) => splits(low, high), values: (_, values) => values.map((value) => (value === 0 ? "0" : format(value))) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.name,
        stroke: colour(line.colour),
        width: 1.75,
        // A step without a value is bridged; a time of which nothing is known is not.
        gaps: (plot: uPlot, index: number): uPlot.Series.Gaps =>
          holes(plot.data[0], plot.data[index]!).map(([from, to]) => [place(plot, from), place(plot, to)]),
        points: { show: false },
        ...(line.filled ? { fill: `${colour(line.colour)}22` } : {}),
      })),
    ],
    hooks: {
      setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)],
      draw: [(plot) => drawBudgets(plot, frame().budget, format, colour, font)],
    },
  };
}

/** Where a time is, in the canvas's pixels. */
const place = (plot: uPlot, time: number): number => Math.round(plot.valToPos(time, "x", true));

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

function drawBudgets(
  plot: uPlot,
  budget: Limits | undefined,
  format: Look["format"],
  colour: (name: string) => string,
  font: string,
): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.font = font.replace(/^[\d.]+/, (size) => `${Number(size) * devicePixelRatio}`);
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  let above = -Infinity;
  for (const [limit, name] of [[budget?.critical, "critical"], [budget?.warn, "warn"]] as const) {
    if (limit === null || limit === undefined) continue;
    const y = Math.round(plot.valToPos(limit, "y", true)) + 0.5;
    if (y < bbox.top) continue;
    ctx.strokeStyle = ctx.fillStyle = colour(name);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    if (y - above > 14 * devicePixelRatio) label(ctx, `budget ${format(limit)}`, bbox.left + 4 * devicePixelRatio, y - 1, colour("surface"));
    above = y;
  }
  ctx.restore();
}

/** Text that can be read where a line runs through it. */
function label(ctx: CanvasRenderingContext2D, text: string, x: number, y: number, behind: string): void {
  ctx.save();
  ctx.setLineDash([]);
  ctx.strokeStyle = behind;
  ctx.lineWidth = 4 * devicePixelRatio;
  ctx.lineJoin = "round";
  ctx.strokeText(text, x, y);
  ctx.fillText(text, x, y);
  ctx.restore();
}
