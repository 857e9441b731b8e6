// One number, large, with its unit, its name, and where it came from.

import type { ComponentChildren } from "preact";
import type { Quantity } from "../format.ts";
import type { Level } from "../levels.ts";
import { Term } from "./hint.tsx";
import { Sparkline } from "./sparkline.tsx";

interface Props {
  readonly label: string;
  readonly hint: string;
  readonly quantity: Quantity;
  readonly level?: Level;
  readonly values?: readonly (number | null)[] | undefined;
  readonly children?: ComponentChildren;
}

/** A name and its number, on one line. */
export function Pair({ name, value }: { name: string; value: string }) {
  return <span class="pair">{name} {value}</span>;
}

export function Stat({ label, hint, quantity, level = "ok", values, children }: Props) {
  return (
    <article class={`card stat ${level}`}>
      <h2><Term hint={hint}>{label}</Term></h2>
      <p class="figure">
        <span class="quantity">
          <data value={quantity.value}>{quantity.value}</data>
          {quantity.unit && <span class="unit">{quantity.unit}</span>}
        </span>
        {level !== "ok" && <span class="badge">{level === "warn" ? "high" : "critical"}</span>}
      </p>
      {values && <Sparkline values={values} />}
      {children && <p class="aside">{children}</p>}
    </article>
  );
}
