// How endpoints are shown wherever they are.

import { Fragment } from "preact";
import { type Endpoint, HINTS } from "../documents.ts";
import { eachSecond, ratio, seconds, text } from "../format.ts";
import { level, type Thresholds } from "../levels.ts";
import { href } from "../place.ts";
import type { Column } from "../parts/table.tsx";

const { Endpoint: HINT, Requests: REQUESTS, Latency: LATENCY } = HINTS;

export const keyOf = ({ method, route }: Endpoint): string => `${method} ${route}`;

export function EndpointLink({ endpoint: { method, route } }: { endpoint: Endpoint }) {
  return <a class="endpoint" href={href("routes", method, route)} title={named(route)}><EndpointName method={method} route={route} /></a>;
}

/** For where there is too little room for all of it, it can be broken before each part of the path. */
export function EndpointName({ method, route }: { method: string; route: string }) {
  const parts = named(route).split(/(?=\/)/);
  return (
    <>
      <Method name={method} />
      <span class="route">{parts.map((part, index) => <Fragment key={index}>{index > 0 && <wbr />}{part}</Fragment>)}</span>
    </>
  );
}

const METHODS: Readonly<Record<string, string>> = { "": "any", _OTHER: "other" };

export function Method({ name }: { name: string }) {
  return <span class={`method ${name.toLowerCase()}`}>{METHODS[name] ?? name}</span>;
}

/** Names that stand for something else than a template. */
export function named(route: string): string {
  if (route === "__unmatched__") return "no route";
  return route === "__overflow__" ? "all further routes" : route;
}

export const timeColumn = (
  key: "p50_seconds" | "p95_seconds" | "p99_seconds" | "mean_seconds" | "max_seconds",
  name: string,
  thresholds: Thresholds,
  wide = false,
): Column<Endpoint> => ({
  key,
  name,
  hint: LATENCY[key],
  numeric: true,
  wide,
  value: (row) => row[key],
  cell: (row) => {
    const at = key === "p95_seconds" ? level(thresholds["request_p95"], row[key]) : "ok";
    return <span class={`number ${at}`}>{text(seconds(row[key]))}</span>;
  },
});

export const rateColumn: Column<Endpoint> = {
  key: "rate_per_second",
  name: "Rate",
  hint: LATENCY.rate_per_second,
  numeric: true,
  value: (row) => row.rate_per_second,
  cell: (row) => text(eachSecond(row.rate_per_second)),
};

export const errorColumn = (thresholds: Thresholds): Column<Endpoint> => ({
  key: "error_ratio",
  name: "Errors",
  hint: REQUESTS.error_ratio,
  numeric: true,
  value: (row) => row.error_ratio,
  cell: (row) => <span class={`number ${level(thresholds["error_ratio"], row.error_ratio)}`}>{text(ratio(row.error_ratio))}</span>,
});

export const endpointColumn: Column<Endpoint> = {
  key: "route",
  name: "Route",
  hint: HINT.route,
  value: (row) => `${row.route} ${row.method}`,
  cell: (row) => <EndpointLink endpoint={row} />,
};

export const shareColumn: Column<Endpoint> = {
  key: "time_ratio",
  name: "Share of time",
  hint: HINT.time_ratio,
  numeric: true,
  wide: true,
  value: (row) => row.time_ratio,
  cell: (row) => (
    <span class="share"><i style={{ width: `${(row.time_ratio * 100).toFixed(1)}%` }} /><b>{text(ratio(row.time_ratio))}</b></span>
  ),
};
