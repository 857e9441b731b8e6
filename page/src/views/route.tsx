// All about one endpoint.

import type { ComponentChildren } from "preact";
import { useAnswer } from "../answer.ts";
import type { Context } from "../context.ts";
import { type EndpointReport, HINTS } from "../documents.ts";
import { ago, bytes, count, counted, digits, NONE, perSecond, ratio, seconds, text } from "../format.ts";
import { level } from "../levels.ts";
import { href } from "../place.ts";
import { Card } from "../parts/card.tsx";
import { Chart, type Line } from "../parts/chart.tsx";
import { Distribution } from "../parts/bars.tsx";
import { Gradually } from "../parts/gradually.tsx";
import { Stat } from "../parts/stat.tsx";
import { Term } from "../parts/hint.tsx";
import { Method, named } from "./endpoints.tsx";

interface Props {
  readonly method: string;
  readonly route: string;
  /** Changes when there is something new to ask for. */
  readonly tick: unknown;
  readonly context: Context;
}

export function Route({ method, route, tick, context }: Props) {
  const { window, thresholds, points, range, theme, onSignedOut } = context;
  const { answer: report, problem } = useAnswer<EndpointReport>("performance/endpoint", { method, route, window }, tick, onSignedOut);

  const key = `${method} ${route}`;
  const lines = (of: keyof EndpointReport["endpoint"] & ("p95_seconds" | "error_ratio")): readonly Line[] => [
    { name: of === "p95_seconds" ? "p95" : "errors", colour: of === "p95_seconds" ? "p95" : "critical", filled: true, of: (point) => point.routes[key]?.[of] ?? null },
  ];
  const head = <p class="verdict"><a href={href("routes")}>Routes</a> <span aria-hidden="true">›</span> <Method name={method} /> <strong class="route">{named(route)}</strong></p>;
  // Charts that are drawn before the figures above them are known would move.
  if (!report && !problem) return <>{head}<p class="empty" role="status">Listening…</p></>;
  return (
    <Gradually>
      {head}
      {problem && <p class="empty" role="status">{problem.status === 404 ? "No request to it was completed in this window." : problem.message}</p>}
      {report && <Figures report={report} context={context} />}
      <div class="columns">
        <Chart title="Duration p95" hint={HINTS.RoutePoint.p95_seconds} lines={lines("p95_seconds")} points={points} range={range} theme={theme} format={(value) => text(seconds(value))} budget={thresholds["request_p95"]} />
        <Chart title="Errors" hint={HINTS.RoutePoint.error_ratio} lines={lines("error_ratio")} points={points} range={range} theme={theme} format={(value) => text(ratio(value))} budget={thresholds["error_ratio"]} />
      </div>
      {report && <Details report={report} context={context} />}
    </Gradually>
  );
}

function Figures({ report: { endpoint }, context: { thresholds } }: { report: EndpointReport; context: Context }) {
  return (
    <div class="stats">
      <Stat label="Rate" hint={HINTS.Latency.rate_per_second} quantity={perSecond(endpoint.rate_per_second)}>{endpoint.count < 1e4 ? counted(endpoint.count, "request") : `${text(count(endpoint.count))} requests`}</Stat>
      <Stat label="Errors" hint={HINTS.Requests.error_ratio} quantity={ratio(endpoint.error_ratio)} level={level(thresholds["error_ratio"], endpoint.error_ratio)}>{text(count(endpoint.error_count))} failed, {text(count(endpoint.disconnect_count))} left early</Stat>
      <Stat label="Duration p50" hint={HINTS.Latency.p50_seconds} quantity={seconds(endpoint.p50_seconds)}>mean {text(seconds(endpoint.mean_seconds))}</Stat>
      <Stat label="Duration p95" hint={HINTS.Latency.p95_seconds} quantity={seconds(endpoint.p95_seconds)} level={level(thresholds["request_p95"], endpoint.p95_seconds)}>p99 {text(seconds(endpoint.p99_seconds))}</Stat>
      <Stat label="Share of time" hint={HINTS.Endpoint.time_ratio} quantity={ratio(endpoint.time_ratio)}>{text(seconds(endpoint.min_seconds))} to {text(seconds(endpoint.max_seconds))}</Stat>
    </div>
  );
}

function Details({ report, context: { thresholds } }: { report: EndpointReport; context: Context }) {
  const { endpoint } = report;
  const facts: readonly (readonly [string, string, string])[] = [
    ["First byte p95", HINTS.EndpointReport.first_byte, text(seconds(report.first_byte.p95_seconds))],
    ["Background p95", HINTS.EndpointReport.background, text(seconds(report.background.p95_seconds))],
    ["Request body", HINTS.EndpointReport.request_bytes_mean, text(bytes(report.request_bytes_mean))],
    ["Response body", HINTS.EndpointReport.response_bytes_mean, text(bytes(report.response_bytes_mean))],
    ["Queries on the route", HINTS.EndpointReport.queries_mean, report.queries_mean === null ? NONE : `${digits(report.queries_mean)} (${Math.round(report.queries_max ?? 0)} at most)`],
    ["Time in queries p95", HINTS.EndpointReport.query_time, text(seconds(report.query_time.p95_seconds))],
  ];
  return (
    <div class="columns">
      <Card title="Durations" hint={HINTS.EndpointReport.distribution} wide>
        <Distribution
          bars={report.distribution} budget={thresholds["request_p95"]}
          quantiles={[["p50", endpoint.p50_seconds], ["p95", endpoint.p95_seconds], ["p99", endpoint.p99_seconds]]}
        />
      </Card>
      <Counts title="Statuses" hint={HINTS.Endpoint.statuses} counts={endpoint.statuses} />
      <Counts title="What went wrong" hint={HINTS.Endpoint.errors} counts={endpoint.errors}>
        {endpoint.last_error && (
          <p class="aside">
            Last: {endpoint.last_error.type}, {ago(endpoint.last_error.at_unix_seconds)}, <a class="route" href={href("requests", endpoint.last_error.request_id)}>{endpoint.last_error.request_id}</a>
          </p>
        )}
      </Counts>
      <Card title="More" hint="Averages and quantiles over the window.">
        <dl class="facts">{facts.map(([name, hint, value]) => <div key={name}><dt><Term hint={hint}>{name}</Term></dt><dd>{value}</dd></div>)}</dl>
      </Card>
    </div>
  );
}

interface CountsProps {
  readonly title: string;
  readonly hint: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly children?: ComponentChildren;
}

function Counts({ title, hint, counts, children }: CountsProps) {
  const entries = Object.entries(counts).sort(([, one], [, other]) => other - one);
  const most = entries[0]?.[1] ?? 1;
  return (
    <Card title={title} hint={hint}>
      {entries.length === 0 && <p class="empty good">Nothing.</p>}
      <ol class="ranking">
        {entries.map(([name, number]) => (
          <li key={name}><span class="route">{name}</span><b>{text(count(number))}</b><i class={`bar ${/^[5]/.test(name) || /[A-Z]/.test(name) ? "critical" : ""}`} style={{ width: `${(number / most) * 100}%` }} /></li>
        ))}
      </ol>
      {children}
    </Card>
  );
}
