// The views, and the way to them.

import { href } from "../place.ts";
import { Icon, type IconName } from "./icon.tsx";

export interface ViewEntry {
  readonly name: IconName;
  readonly title: string;
}

export const VIEWS: readonly ViewEntry[] = [
  { name: "overview", title: "Overview" },
  { name: "routes", title: "Routes" },
  { name: "database", title: "Database" },
  { name: "requests", title: "Requests" },
  { name: "runtime", title: "Runtime" },
];

export function Navigation({ current }: { current: string }) {
  return (
    <nav aria-label="Views">
      {VIEWS.map(({ name, title }) => (
        <a key={name} href={href(name)} aria-current={name === current ? "page" : undefined}>
          <Icon name={name} />{title}
        </a>
      ))}
    </nav>
  );
}
