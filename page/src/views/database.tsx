// Database work: how much, how long, through which pools, and which statements took long.

import type { Context } from "../context.ts";
import { type Database as Document, HINTS, type Operation, type Pool, type SlowQuery } from "../documents.ts";
import { ago, count, counted, digits, eachSecond, NONE, perSecond, seconds, text } from "../format.ts";
import { level } from "../levels.ts";
import { Card, Missing } from "../parts/card.tsx";
import { Chart, type Line } from "../parts/chart.tsx";
import { Gradually } from "../parts/gradually.tsx";
import { Meter } from "../parts/meter.tsx";
import { Term } from "../parts/hint.tsx";
import { Stat } from "../parts/stat.tsx";
import { Statement } from "../parts/statement.tsx";
import { type Column, Table } from "../parts/table.tsx";

const TIMES: readonly Line[] = [{ name: "p95", colour: "p95", of: (point) => point.query_p95_seconds, filled: true }];
const RATE: readonly Line[] = [{ name: "queries", colour: "rate", of: (point) => point.queries_per_second, filled: true }];

export function Database({ document, context }: { document: Document; context: Context }) {
  const { total, pools, operations } = document;
  const { points, range, theme, thresholds } = context;
  if (total.count === 0 && pools.length === 0) {
    return (
      <Missing title="No database work was recorded in this window" code={"import stethoscope\n\nstethoscope.watch(engine)  # an Engine or AsyncEngine of SQLAlchemy"}>
        Queries, pools and slow statements appear here as soon as an engine is watched and used. One line, where the engine is made, is enough.
      </Missing>
    );
  }
  return (
    <Gradually>
      <div class="stats">
        <Stat label="Queries" hint={HINTS.Latency.rate_per_second} quantity={perSecond(total.rate_per_second)}>{text(count(total.count))} in this window</Stat>
        <Stat label="Duration p50" hint={HINTS.Latency.p50_seconds} quantity={seconds(total.p50_seconds)}>mean {text(seconds(total.mean_seconds))}</Stat>
        <Stat label="Duration p95" hint={HINTS.Latency.p95_seconds} quantity={seconds(total.p95_seconds)} level={level(thresholds["query_p95"], total.p95_seconds)}>p99 {text(seconds(total.p99_seconds))}</Stat>
        <Stat label="Slow statements" hint={HINTS.Database.slow_queries} quantity={count(document.slow_queries.length)} level={document.slow_queries.length ? "warn" : "ok"}>longest {text(seconds(total.max_seconds))}</Stat>
      </div>
      <div class="columns">
        <Chart title="Query duration" hint="95th percentile of database operations. Dashed: the budgets." lines={TIMES} points={points} range={range} theme={theme} format={(value) => text(seconds(value))} budget={thresholds["query_p95"]} />
        <Chart title="Query rate" hint="Database operations per second." lines={RATE} points={points} range={range} theme={theme} format={(value) => text(eachSecond(value))} />
      </div>
      {pools.length > 0 && <div class="columns">{pools.map((pool) => <PoolCard key={pool.name} pool={pool} context={context} />)}</div>}
      <Card title="Slow statements" hint={HINTS.Database.slow_queries} wide>
        <Table caption="Slow statements" columns={SLOW} rows={document.slow_queries} rowKey={(row) => row.fingerprint} sortedBy="total" empty="No statement was slow in this window." />
      </Card>
      <Card title="Operations" hint={HINTS.Database.operations} wide>
        <Table caption="Operations" columns={OPERATIONS} rows={operations} rowKey={(row) => `${row.system} ${row.operation} ${row.collection}`} sortedBy="count" empty="No operation was completed in this window." />
      </Card>
    </Gradually>
  );
}

function PoolCard({ pool, context: { thresholds } }: { pool: Pool; context: Context }) {
  const facts = [
    ["idle", count(pool.idle), HINTS.Pool.idle],
    ["overflow", count(pool.overflow), HINTS.Pool.overflow],
    ["waiting", count(pool.pending), HINTS.Pool.pending],
    ["timeouts", count(pool.timeout_count), HINTS.Pool.timeout_count],
    ["wait p95", seconds(pool.wait.p95_seconds), HINTS.Pool.wait],
    ["held p95", seconds(pool.use.p95_seconds), HINTS.Pool.use],
  ] as const;
  return (
    <Card title={`Pool ${pool.name}`} hint="A connection pool, all workers together.">
      <Meter label="In use" hint={HINTS.Pool.use_ratio} value={pool.use_ratio} level={level(thresholds["pool_use"], pool.use_ratio)} note={`${digits(pool.used)} ${pool.limit === null ? "connections, without a limit" : `of at most ${counted(pool.limit, "connection")}`}`} />
      <dl class="facts">{facts.map(([name, value, hint]) => <div key={name}><dt><Term hint={hint}>{name}</Term></dt><dd>{text(value)}</dd></div>)}</dl>
    </Card>
  );
}

const duration = <Row extends { p95_seconds: number | null; max_seconds: number | null; mean_seconds: number | null }>(
  key: "p95_seconds" | "max_seconds" | "mean_seconds",
  name: string,
): Column<Row> => ({ key, name, hint: HINTS.Latency[key], numeric: true, value: (row) => row[key], cell: (row) => text(seconds(row[key])) });

const times = <Row extends { count: number }>(hint: string): Column<Row> => ({
  key: "count", name: "Times", hint, numeric: true, value: (row) => row.count, cell: (row) => text(count(row.count)),
});

const total = (query: SlowQuery): number => query.count * (query.mean_seconds ?? 0);

const SLOW: readonly Column<SlowQuery>[] = [
  { key: "statement", name: "Statement", hint: HINTS.SlowQuery.statement, value: (row) => row.statement ?? row.fingerprint, cell: (row) => <Statement text={row.statement ?? row.fingerprint} below={[row.call_site, ...row.routes].filter(Boolean).join(" · ")} /> },
  times<SlowQuery>(HINTS.Latency.count),
  { key: "total", name: "Total", hint: "Time that all of them took together.", numeric: true, wide: true, value: (row) => total(row), cell: (row) => text(seconds(total(row))) },
  { ...duration<SlowQuery>("mean_seconds", "Mean"), wide: true },
  duration<SlowQuery>("max_seconds", "Longest"),
  { key: "last", name: "Last", hint: HINTS.SlowQuery.last_at_unix_seconds, numeric: true, wide: true, value: (row) => row.last_at_unix_seconds, cell: (row) => (row.last_at_unix_seconds === null ? NONE : ago(row.last_at_unix_seconds)) },
];

const OPERATIONS: readonly Column<Operation>[] = [
  { key: "operation", name: "Operation", hint: HINTS.Operation.operation, value: (row) => `${row.operation} ${row.collection}`, cell: (row) => <span class="route">{row.operation} <b>{row.collection}</b></span> },
  { key: "system", name: "System", hint: HINTS.Operation.system, wide: true, value: (row) => row.system },
  times<Operation>(HINTS.Latency.count),
  duration<Operation>("mean_seconds", "Mean"),
  duration<Operation>("p95_seconds", "p95"),
  { key: "errors", name: "Errors", hint: HINTS.Operation.error_count, numeric: true, value: (row) => row.error_count, cell: (row) => <span class={row.error_count ? "number critical" : ""}>{text(count(row.error_count))}</span> },
];
