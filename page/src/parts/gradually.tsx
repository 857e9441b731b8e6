// A view is drawn piece by piece, from the top, each in a task of its own: the first is there at once, and the page answers meanwhile.

import type { ComponentChild } from "preact";
import { useEffect, useState } from "preact/hooks";

export function Gradually({ children }: { children: ComponentChild[] }) {
  const [shown, setShown] = useState(1);
  useEffect(() => {
    if (shown >= children.length) return;
    const timer = setTimeout(() => setShown(shown + 1));
    return () => clearTimeout(timer);
  }, [shown, children.length]);
  return <>{children.slice(0, shown)}</>;
}
