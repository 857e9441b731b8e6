// How much of what there is, is used.

import { NONE, ratio, text } from "../format.ts";
import type { Level } from "../levels.ts";
import { Term } from "./hint.tsx";

interface Props {
  readonly label: string;
  readonly hint: string;
  readonly value: number | null;
  readonly level: Level;
  readonly note?: string;
}

export function Meter({ label, hint, value, level, note }: Props) {
  const share = value === null ? 0 : Math.min(1, Math.max(0, value));
  return (
    <div class={`meter ${level}`}>
      <p><Term hint={hint}>{label}</Term><b>{value === null ? NONE : text(ratio(value))}</b></p>
      <div class="track" aria-hidden="true"><div class="fill" style={{ width: `${share * 100}%` }} /></div>
      {note && <p class="aside">{note}</p>}
    </div>
  );
}
