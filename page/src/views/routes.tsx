// Every endpoint, to be found, sorted and compared.

import { useState } from "preact/hooks";
import type { Context } from "../context.ts";
import type { Endpoint, Endpoints } from "../documents.ts";
import { HINTS } from "../documents.ts";
import { count, text } from "../format.ts";
import { Card } from "../parts/card.tsx";
import { Sparkline } from "../parts/sparkline.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { endpointColumn, errorColumn, keyOf, rateColumn, shareColumn, timeColumn } from "./endpoints.tsx";

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
      cell: (row) => <Sparkline values={points.map((point) => point.routes[keyOf(row)]?.requests_per_second ?? 0)} />,
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
    <Card title={`${rows.length} of ${document.total} endpoints`} hint="A method of a route template. Choose one to see all about it." more={search} wide>
      <Table
        caption="Endpoints" columns={columns} rows={rows} rowKey={keyOf} sortedBy="time_ratio"
        empty={wanted ? `No endpoint has “${wanted}” in it.` : "No request was completed in this window."}
      />
    </Card>
  );
}
