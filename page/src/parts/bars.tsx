// A distribution, bar by bar on a logarithmic axis, with its quantiles marked.

import type { Bar, Limits } from "../documents.ts";
import { digits, seconds, text } from "../format.ts";
import { type Level, level } from "../levels.ts";

interface Props {
  readonly bars: readonly Bar[];
  readonly quantiles: readonly (readonly [string, number | null])[];
  readonly budget?: Limits | undefined;
}

export function Distribution({ bars, quantiles, budget }: Props) {
  const shown = bars.filter((bar) => bar.from_seconds > 0);
  if (shown.length === 0) return <p class="empty">No durations in this window.</p>;
  const most = Math.max(...shown.map((bar) => bar.count));
  const low = shown[0]!.from_seconds;
  const high = shown.at(-1)!.to_seconds;
  const place = (value: number): number => (Math.log(value / low) / Math.log(high / low)) * 100;
  const marks = quantiles.flatMap(([name, value]) => (value !== null && value > low ? [{ name, value }] : []));
  return (
    <div class="distribution">
      <svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label={describe(quantiles)}>
        {shown.map((bar) => {
          const height = bar.count ? Math.max(0.6, (bar.count / most) * 38) : 0;
          const left = place(bar.from_seconds);
          const width = place(bar.to_seconds) - left;
          const worst: Level = level(budget, bar.to_seconds);
          return <rect key={bar.from_seconds} class={worst} x={left + width * 0.06} y={40 - height} width={width * 0.88} height={height} />;
        })}
        {marks.map(({ name, value }) => <line key={name} x1={place(value)} x2={place(value)} y1="0" y2="40" />)}
      </svg>
      <ol class="marks" aria-hidden="true">
        {marks.map(({ name, value }) => (
          <li key={name} style={{ left: `clamp(36px, ${place(value)}%, 100% - 40px)` }}>{name}<b>{text(seconds(value))}</b></li>
        ))}
      </ol>
      <p class="axis"><span>{text(seconds(low))}</span><span>{digits(shown.reduce((sum, bar) => sum + bar.count, 0))} requests</span><span>{text(seconds(high))}</span></p>
    </div>
  );
}

function describe(quantiles: Props["quantiles"]): string {
  return `Distribution of durations: ${quantiles.map(([name, value]) => `${name} ${text(seconds(value))}`).join(", ")}`;
}
