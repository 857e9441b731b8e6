// A statement, of which a long one shows only how it begins until it is asked for.

import { useState } from "preact/hooks";

const LONG = 300;

export function Statement({ text, below }: { text: string; below: string }) {
  const [all, setAll] = useState(false);
  const long = text.length > LONG * 1.3;
  return (
    <div class="statement">
      <code>{long && !all ? `${text.slice(0, LONG)}…` : text}</code>
      {long && <button type="button" class="link" onClick={() => setAll(!all)}>{all ? "Show less" : "Show all"}</button>}
      <small>{below}</small>
    </div>
  );
}
