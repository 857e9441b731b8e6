// Words for people on every number: shown on hover, on focus, and on tap; Escape takes them away.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

interface Shown {
  readonly text: string;
  readonly left: number;
  readonly top: number;
  readonly above: boolean;
}

/** A term with an explanation. */
export function Term({ hint, children }: { hint: string | undefined; children: ComponentChildren }) {
  return hint ? <button type="button" class="term" data-hint={hint}>{children}</button> : <span class="term">{children}</span>;
}

const ID = "hint";
const HALF_WIDTH = 150;

/** The one place where explanations appear; anything with `data-hint` has one. */
export function Hints() {
  const [shown, setShown] = useState<Shown>();

  useEffect(() => {
    let owner: Element | undefined;

    function show(event: Event): void {
      const found = (event.target as Element | null)?.closest?.("[data-hint]") ?? undefined;
      if (found === owner) return;
      hide();
      if (!found) return;
      owner = found;
      found.setAttribute("aria-describedby", ID);
      const box = found.getBoundingClientRect();
      const middle = box.left + box.width / 2;
      const left = Math.max(HALF_WIDTH + 8, Math.min(middle, innerWidth - HALF_WIDTH - 8));
      const above = box.bottom > innerHeight - 120;
      setShown({ text: found.getAttribute("data-hint")!, left, top: above ? box.top - 8 : box.bottom + 8, above });
    }

    function hide(): void {
      owner?.removeAttribute("aria-describedby");
      owner = undefined;
      setShown(undefined);
    }

    const onKey = (event: KeyboardEvent): void => void (event.key === "Escape" && hide());
    const events = ["pointerover", "focusin", "click"] as const;
    for (const name of events) document.addEventListener(name, show);
    document.addEventListener("focusout", hide);
    document.addEventListener("keydown", onKey);
    addEventListener("scroll", hide, true);
    return () => {
      for (const name of events) document.removeEventListener(name, show);
      document.removeEventListener("focusout", hide);
      document.removeEventListener("keydown", onKey);
      removeEventListener("scroll", hide, true);
    };
  }, []);

  const place = shown && { left: `${shown.left}px`, top: `${shown.top}px` };
  return (
    <div id={ID} role="tooltip" class={shown?.above ? "hint above" : "hint"} hidden={!shown} style={place ?? {}}>
      {shown?.text}
    </div>
  );
}
