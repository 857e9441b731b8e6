// Is the service well, what is slow, and why?

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Context } from "../context.ts";
import { type Alert, type Endpoint, type Finding, HINTS, type Overview as Document } from "../documents.ts";
import { ago, count, eachSecond, inUnit, perSecond, ratio, seconds, text } from "../format.ts";
import { level } from "../levels.ts";
import { Card } from "../parts/card.tsx";
import { Chart, type Line } from "../parts/chart.tsx";
import { Gradually } from "../parts/gradually.tsx";
import { Meter } from "../parts/meter.tsx";
import { Pair, Stat } from "../parts/stat.tsx";
import { EndpointLink, keyOf, named } from "./endpoints.tsx";
import { More } from "./more.tsx";
import { WorkerTable } from "./workers.tsx";

const TIMES: readonly Line[] = [
  { name: "p50", colour: "p50", of: (point) => point.p50_seconds },
  { name: "p95", colour: "p95", of: (point) => point.p95_seconds },
  { name: "p99", colour: "p99", of: (point) => point.p99_seconds },
];
const TRAFFIC: readonly Line[] = [
  { name: "requests", colour: "rate", of: (point) => point.requests_per_second, filled: true },
  { name: "errors", colour: "critical", of: (point) => point.errors_per_second, filled: true },
];

export function Overview({ document, context }: { document: Document; context: Context }) {
  const { requests, queries, machine, pools } = document;
  const { points, thresholds, range, theme } = context;
  const values = (of: Line["of"]) => points.map(of);
  const pool = pools.reduce((worst, one) => Math.max(worst, one.use_ratio ?? 0), 0);
  return (
    <Gradually>
      <Verdict document={document} />
      <div class="stats">
        <Stat
          label="Request rate" hint={HINTS.Latency.rate_per_second} quantity={perSecond(requests.rate_per_second)}
          values={values((point) => point.requests_per_second)}
        >{text(count(requests.count))} in {text(seconds(document.window.seconds))}</Stat>
        <Stat
          label="Errors" hint={HINTS.Requests.error_ratio} quantity={ratio(requests.error_ratio)}
          level={level(thresholds["error_ratio"], requests.error_ratio)} values={values((point) => point.error_ratio)}
        >{text(count(requests.error_count))} failed, {text(count(requests.disconnect_count))} left early</Stat>
        <Stat
          label="Duration p95" hint={HINTS.Latency.p95_seconds} quantity={seconds(requests.p95_seconds)}
          level={level(thresholds["request_p95"], requests.p95_seconds)} values={values((point) => point.p95_seconds)}
        ><Pair name="p50" value={text(seconds(requests.p50_seconds))} /> <Pair name="p99" value={text(seconds(requests.p99_seconds))} /></Stat>
        <Stat
          label="In flight" hint={HINTS.Overview.active_requests} quantity={count(document.active_requests)}
          values={values((point) => point.active_requests)}
        >{text(count(document.active_websockets))} WebSockets open</Stat>
        <Stat
          label="Queries p95" hint={HINTS.Overview.queries} quantity={seconds(queries.p95_seconds)}
          level={level(thresholds["query_p95"], queries.p95_seconds)} values={queries.count ? values((point) => point.query_p95_seconds) : undefined}
        >{queries.count ? <><Pair name={text(perSecond(queries.rate_per_second))} value="" /> <Pair name="pool use" value={text(ratio(pool))} /></> : "no database is watched"}</Stat>
      </div>
      <div class="columns">
        <Chart
          title="Request duration" hint="Time from the arrival of requests to the last byte of their responses. Dashed: the budgets."
          lines={TIMES} points={points} range={range} theme={theme} format={(value) => text(seconds(value))} budget={thresholds["request_p95"]}
        />
        <Chart
          title="Traffic" hint="Requests whose response was completed, and those of them that failed on our side, per second."
          lines={TRAFFIC} points={points} range={range} theme={theme} format={(value) => text(eachSecond(value))}
        />
      </div>
      <div class="columns loose">
        <Alerts alerts={document.alerts} />
        <Findings findings={document.findings} />
      </div>
      <div class="columns">
        <Top title="Where the time goes" hint={HINTS.Overview.busiest} endpoints={document.busiest} value={(one) => one.time_ratio} words={(one) => text(ratio(one.time_ratio))} />
        <Top title="Slowest" hint={HINTS.Overview.slowest} endpoints={document.slowest} value={(one) => one.p95_seconds ?? 0} words={(one) => text(seconds(one.p95_seconds))} />
        <Top title="Failing" hint={HINTS.Overview.failing} endpoints={document.failing} value={(one) => one.error_count} words={(one) => `${text(count(one.error_count))} of ${text(count(one.count))}`} />
      </div>
      <div class="columns uneven">
        <Card title="Workers" hint={HINTS.Overview.workers}><WorkerTable workers={document.workers} brief /></Card>
        <Card title="Machine" hint="What of the machine's means is in use.">
          <div class="meters">
            <Meter label="Processor" hint={HINTS.Machine.cpu_use_ratio} value={machine.cpu_use_ratio} level={level(thresholds["cpu_use"], machine.cpu_use_ratio)} />
            <Meter label="Memory" hint={HINTS.Machine.memory_use_ratio} value={machine.memory_use_ratio} level={level(thresholds["memory_use"], machine.memory_use_ratio)} />
            {machine.disks.slice(0, 2).map((disk) => (
              <Meter key={disk.mountpoint} label={`Disk ${disk.mountpoint}`} hint={HINTS.Disk.use_ratio} value={disk.use_ratio} level={level(thresholds["disk_use"], disk.use_ratio)} />
            ))}
          </div>
        </Card>
      </div>
      <More />
    </Gradually>
  );
}

const QUIET = "no request was completed in this window; the next one is here within two seconds";
const VERDICTS = { ok: "All well", warn: "Look at this", critical: "Act now" } as const;

function Verdict({ document: { level: at, alerts, service, requests } }: { document: Document }) {
  const worst = alerts[0];
  const why = worst
    ? `${worst.subject ? `${worst.subject}, ` : ""}${worst.what}: ${inUnit(worst.value, worst.unit)}${alerts.length > 1 ? `, and ${alerts.length - 1} more` : ""}`
    : requests.count ? "nothing is beyond its threshold" : QUIET;
  return (
    <p class={`verdict ${at}`} role="status">
      <strong>{service}</strong><span class="pill">{worst || requests.count ? VERDICTS[at] : "Quiet"}</span><span>{why}</span>
    </p>
  );
}

function Alerts({ alerts }: { alerts: readonly Alert[] }) {
  return (
    <Card title="Beyond a threshold" hint={HINTS.Overview.alerts}>
      {alerts.length === 0 && <p class="empty good">Nothing. Thresholds are set by <code>thresholds=</code>.</p>}
      <First most={5} items={alerts}>
        {(alert) => (
          <li key={`${alert.threshold} ${alert.subject}`} class={alert.level}>
            <i class="dot" /><span><b>{alert.subject || "The whole service"}</b><small>{alert.what}</small></span>
            <span class="value">{inUnit(alert.value, alert.unit)}<small>limit {inUnit(alert.limit, alert.unit)}</small></span>
          </li>
        )}
      </First>
    </Card>
  );
}

interface FirstProps<Item> {
  readonly most: number;
  readonly items: readonly Item[];
  readonly children: (item: Item) => ComponentChildren;
}

/** The first items of a list, and the others for who wants to see them. */
function First<Item>({ most, items, children }: FirstProps<Item>) {
  const [all, setAll] = useState(false);
  const more = items.length - most;
  return (
    <>
      <ul class="list">{items.slice(0, all ? items.length : most).map(children)}</ul>
      {more > 0 && <button type="button" class="link" onClick={() => setAll(!all)}>{all ? "Show less" : `Show ${more} more`}</button>}
    </>
  );
}

function Findings({ findings }: { findings: readonly Finding[] }) {
  return (
    <Card title="Diagnosis" hint={HINTS.Overview.findings}>
      {findings.length === 0 && (
        <p class="empty good">
          No illness found so far. Looked for are repeated, blocking and duplicate queries, far offsets, held and leaked connections, and pools that run out.
        </p>
      )}
      <First most={5} items={findings}>
        {(finding) => (
          <li key={`${finding.kind} ${finding.route} ${finding.subject}`} class={finding.severity === "critical" ? "critical" : finding.severity === "warning" ? "warn" : "info"}>
            <i class="dot" />
            <span>
              <b class="sentence">{finding.summary}</b>
              {finding.route && <small>{named(finding.route)}</small>}
              <em>{finding.cure}</em>
            </span>
            <span class="value"><small>{text(count(finding.occurrences))} ×</small><small>{ago(finding.last_at_unix_seconds)}</small></span>
          </li>
        )}
      </First>
    </Card>
  );
}

interface TopProps {
  readonly title: string;
  readonly hint: string;
  readonly endpoints: readonly Endpoint[];
  readonly value: (endpoint: Endpoint) => number;
  readonly words: (endpoint: Endpoint) => string;
}

function Top({ title, hint, endpoints, value, words }: TopProps) {
  const most = Math.max(...endpoints.map(value), Number.MIN_VALUE);
  return (
    <Card title={title} hint={hint}>
      {endpoints.length === 0 && <p class="empty good">None in this window.</p>}
      <ol class="ranking">
        {endpoints.map((one) => (
          <li key={keyOf(one)}>
            <EndpointLink endpoint={one} /><b>{words(one)}</b>
            <i class="bar" style={{ width: `${(value(one) / most) * 100}%` }} />
          </li>
        ))}
      </ol>
    </Card>
  );
}
