// What this browser remembers of how its user likes the page.

import { useState } from "preact/hooks";

export function useSetting<T extends string | number>(name: string, initial: T): [T, (value: T) => void] {
  const key = `stethoscope.${name}`;
  const [value, setValue] = useState<T>(() => read(key, initial));
  return [value, (chosen) => {
    setValue(chosen);
    try {
      localStorage.setItem(key, JSON.stringify(chosen));
    } catch {
      // Storage is full or forbidden: then it is not remembered.
    }
  }];
}

function read<T extends string | number>(key: string, initial: T): T {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(key) ?? "null");
    return typeof found === typeof initial ? (found as T) : initial;
  } catch {
    return initial;
  }
}
