// A line without axes: whether a number goes up or down.

const WIDTH = 100;
const HEIGHT = 24;

interface Props {
  readonly values: readonly (number | null)[];
}

export function Sparkline({ values }: Props) {
  const line = path(values);
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {line && <path class="area" d={`${line} V${HEIGHT} H${first(values)} Z`} />}
      {line && <path class="line" d={line} />}
    </svg>
  );
}

const at = (index: number, length: number): string => ((index / Math.max(1, length - 1)) * WIDTH).toFixed(1);

function first(values: readonly (number | null)[]): string {
  return at(values.findIndex((value) => value !== null), values.length);
}

/** The line from zero to the largest value; gaps are bridged. */
export function path(values: readonly (number | null)[]): string {
  const top = Math.max(...values.map((value) => value ?? 0), Number.MIN_VALUE);
  const places = values.flatMap((value, index) => {
    if (value === null) return [];
    return [`${at(index, values.length)} ${(HEIGHT - 1 - (value / top) * (HEIGHT - 3)).toFixed(1)}`];
  });
  return places.length > 1 ? `M${places.join(" L")}` : "";
}
