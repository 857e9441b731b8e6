// A titled part of a view.

import type { ComponentChildren } from "preact";
import { Term } from "./hint.tsx";

interface Props {
  readonly title: string;
  readonly hint: string;
  readonly more?: ComponentChildren;
  readonly wide?: boolean;
  readonly children: ComponentChildren;
}

export function Card({ title, hint, more, wide, children }: Props) {
  return (
    <section class={wide ? "card panel full" : "card panel"}>
      <header><h2><Term hint={hint}>{title}</Term></h2>{more}</header>
      {children}
    </section>
  );
}

/** What is missing, why, and how to get it. */
export function Missing({ title, children, code }: { title: string; children: ComponentChildren; code?: string }) {
  return (
    <section class="card missing">
      <h2>{title}</h2>
      <p>{children}</p>
      {code && <pre tabIndex={0}><code>{code}</code></pre>}
    </section>
  );
}
