// Every endpoint, to be found, sorted and compared.

import { useState } from "preact/hooks";
import type { Context } from "../context.ts";
import type { Endpoint, Endpoints, Point } from "../documents.ts";
import { HINTS } from "../documents.ts";
import { count, counted, digits, text } from "../format.ts";
import { Card } from "../parts/card.tsx";
import { Sparkline } from "../parts/sparkline.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { endpointColumn, errorColumn, keyOf, rateColumn, shareColumn, timeColumn } from "./endpoints.tsx";

function title(shown: number, { items, total }: Endpoints, wanted: string): string {
  if (wanted) return `${digits(shown)} of ${counted(items.length, "endpoint")}`;
  return total > items.length ? `The busiest ${digits(items.length)} of ${counted(total, "endpoint")}` : counted(total, "endpoint");
}

/** Nothing at all for a route that is not among the busiest, of which it is known. */
function rates(points: readonly Point[], key: string): readonly (number | null)[] {
  const known = points.some((point) => point.routes[key]);
  return known ? points.map((point) => point.routes[key]?.requests_per_second ?? 0) : [];
}

export function Routes({ document, context }: { document: Endpoints; context: Context }) {
  const [wanted, setWanted] = useState("");
  const { thresholds, points } = context;
  const rows = document.items.filter((one) => keyOf(one).toLowerCase().includes(wanted.trim().toLowerCase()));
  const columns: readonly Column<Endpoint>[] = [
    endpointColumn,
    rateColumn,
    {
      key: "trend",
      name: "Trend",
      hint: "Requests per second in the range of the charts.",
      wide: true,
      value: (row) => row.rate_per_second,
      cell: (row) => <Sparkline values={rates(points, keyOf(row))} />,
    },
    errorColumn(thresholds),
    timeColumn("p50_seconds", "p50", thresholds, true),
    timeColumn("p95_seconds", "p95", thresholds),
    timeColumn("p99_seconds", "p99", thresholds, true),
    {
      key: "count",
      name: "Requests",
      hint: HINTS.Latency.count,
      numeric: true,
      wide: true,
      value: (row) => row.count,
      cell: (row) => text(count(row.count)),
    },
    shareColumn,
  ];
  const search = (
    <label class="search">
      <span class="unseen">Filter routes</span>
      <input type="search" placeholder="Filter, such as POST or orders" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
    </label>
  );
  return (
    <Card title={title(rows.length, document, wanted)} hint={`A method of a route template. Choose one to see all about it.${document.total > document.items.length ? " Here are those that took most time." : ""}`} more={search} wide>
      <Table
        caption="Endpoints" columns={columns} rows={rows} rowKey={keyOf} sortedBy="time_ratio"
        empty={wanted ? `No endpoint has “${wanted}” in it.` : "No request was completed in this window."}
      />
    </Card>
  );
}
