// Whether somebody can see an element, or soon will.

import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

const SOON = "200px";

export function useInView(element: RefObject<Element | null>): boolean {
  const [inView, setInView] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => setInView(entry!.isIntersecting), { rootMargin: SOON });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, []);
  return inView;
}
