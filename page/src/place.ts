// Where in the page one is: the address after the #, so that it can be kept, sent, and gone back from.

import { useEffect, useState } from "preact/hooks";

export interface Place {
  readonly view: string;
  readonly rest: readonly string[];
}

export function parse(hash: string): Place {
  const [view = "", ...rest] = hash.replace(/^#\/?/, "").split("/").map(decoded);
  return { view, rest };
}

export function href(...parts: readonly string[]): string {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Whether somebody goes on to another place by it, in this tab. */
function leads(event: Event): boolean {
  if (!(event instanceof MouseEvent)) return event.type === "submit";
  return !event.ctrlKey && !event.metaKey && (event.target as Element).closest('a[href^="#/"]') !== null;
}

/** Where one chooses to go is shown from its top; where one goes back to, as it was left. */
export function usePlace(): Place {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    let chosen = false;
    const choose = (event: Event): void => void (chosen = leads(event));
    const changed = (): void => {
      setHash(location.hash);
      if (chosen) scrollTo(0, 0);
      chosen = false;
    };
    for (const name of ["click", "submit"]) addEventListener(name, choose);
    addEventListener("hashchange", changed);
    return () => {
      for (const name of ["click", "submit"]) removeEventListener(name, choose);
      removeEventListener("hashchange", changed);
    };
  }, []);
  return parse(hash);
}
