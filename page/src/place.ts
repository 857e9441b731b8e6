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

export function usePlace(): Place {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = (): void => setHash(location.hash);
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return parse(hash);
}
