// A number over time, drawn by uPlot. All charts of a view share one cursor.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Limits, Point } from "../documents.ts";
import { clock, NONE } from "../format.ts";
import { Term } from "./hint.tsx";
import { useInView } from "./inview.ts";
import type { Frame, Plot } from "./plot.ts";

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

/** Seconds that a chart shows at least. */
const SHORTEST = 60;

export function Chart({ title, hint, lines, points, range, format, budget, theme }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | undefined>(undefined);
  const [at, setAt] = useState<number | null>(null);
  const data = useMemo(() => columns(points, lines), [points]);
  const now = useRef<{ data: Columns; frame: Frame } | undefined>(undefined);
  now.current = { data, frame: { budget, ...extent(points, range) } };
  const inView = useInView(box);

  useEffect(() => {
    if (!inView) return;
    const element = box.current!;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let left = false;
    void import("./plot.ts").then(({ draw }) => {
      if (left) return;
      const look = { lines, format, times, frame: () => now.current!.frame, onCursor: setAt };
      // A task of its own for each chart.
      timer = setTimeout(() => (plot.current = draw(element, look, now.current!.data)));
    });
    return () => {
      left = true;
      clearTimeout(timer);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [theme, inView]);

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

/** Times, then what each line has at them. */
type Columns = [number[], ...(number | null)[][]];

function columns(points: readonly Point[], lines: readonly Line[]): Columns {
  return [points.map((point) => point.at_unix_seconds), ...lines.map((line) => points.map(line.of))];
}

/** From when to when: the whole range, or while there is less, what there is. */
export function extent(points: readonly Point[], range: number): { start: number; end: number } {
  const end = points.at(-1)?.at_unix_seconds ?? 0;
  const known = end - (points[0]?.at_unix_seconds ?? end);
  return { start: end - Math.min(range, Math.max(SHORTEST, known)), end };
}

function times(values: readonly number[]): string[] {
  const whole = values.every((value) => value % 60 === 0);
  return values.map((value) => clock(value).slice(0, whole ? 5 : 8));
}
