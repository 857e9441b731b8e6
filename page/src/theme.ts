// Light, dark, or as the system has it.

import { useEffect, useState } from "preact/hooks";
import { useSetting } from "./setting.ts";

const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const system = matchMedia("(prefers-color-scheme: dark)");

/** The theme that is shown, and what changes to the next choice. */
export function useTheme(): [string, () => void] {
  const [chosen, setChosen] = useSetting<Theme>("theme", "system");
  const [dark, setDark] = useState(system.matches);
  useEffect(() => {
    const changed = (): void => setDark(system.matches);
    system.addEventListener("change", changed);
    return () => system.removeEventListener("change", changed);
  }, []);
  const shown = chosen === "system" ? (dark ? "dark" : "light") : chosen;
  document.documentElement.dataset["theme"] = shown;
  return [shown, () => setChosen(shown === "dark" ? "light" : "dark")];
}
