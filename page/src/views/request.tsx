// One request, from its arrival to its end.

import { type FollowedFinding, type FollowedQuery, type FollowedRequest, HINTS, type Line, type Raised } from "../documents.ts";
import { bytes, clock, count, digits, NONE, seconds, text } from "../format.ts";
import { Card } from "../parts/card.tsx";
import { Term } from "../parts/hint.tsx";
import { Statement } from "../parts/statement.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { Method, named } from "./endpoints.tsx";

export function RequestCard({ request }: { request: FollowedRequest }) {
  const { method, route, status, error_type: error } = request;
  const facts: readonly (readonly [string, string, string])[] = [
    ["Duration", HINTS.Followed.duration_seconds, text(seconds(request.duration_seconds))],
    ["Arrived", HINTS.Followed.at_unix_seconds, clock(request.at_unix_seconds)],
    ["Queries", HINTS.Followed.query_count, text(count(request.query_count))],
    ["Received", HINTS.FollowedRequest.received_bytes, text(bytes(request.received_bytes))],
    ["Sent", HINTS.FollowedRequest.sent_bytes, text(bytes(request.sent_bytes))],
    ["Worker", HINTS.FollowedRequest.worker, `${request.worker}`],
    ["Kept as", HINTS.Followed.kept_as, request.kept_as || NONE],
    ...(request.trace_id ? [["Trace", HINTS.FollowedRequest.trace_id, request.trace_id] as const] : []),
  ];
  return (
    <Card title={`Request ${request.request_id}`} hint={HINTS.Followed.request_id} wide>
      <p class="verdict">
        <Method name={method} /><strong class="route">{named(route)}</strong>
        <span class={`number ${(status ?? 500) >= 500 ? "critical" : "ok"}`}>{status ?? NONE}</span>
        {error && <span class="number critical">{error}</span>}
      </p>
      <Waterfall request={request} />
      <dl class="facts">
        {facts.map(([name, hint, value]) => <div key={name}><dt><Term hint={hint}>{name}</Term></dt><dd>{value}</dd></div>)}
      </dl>
      {request.findings.map((finding) => <Found key={`${finding.kind} ${finding.subject}`} finding={finding} />)}
      {request.exception.map((raised) => <Traceback key={raised.type} raised={raised} />)}
      {request.queries.length > 0 && (
        <>
          <h3>Queries</h3>
          <Table caption="Queries of the request" columns={QUERIES} rows={request.queries} rowKey={(row) => row.fingerprint} empty="" sortedBy="seconds" />
        </>
      )}
    </Card>
  );
}

/** Events where they happened, and how much of the time went where. */
function Waterfall({ request: { timeline, parts, duration_seconds: duration } }: { request: FollowedRequest }) {
  const start = Math.min(0, ...timeline.map((event) => event.at_seconds));
  const end = Math.max(duration ?? 0, ...timeline.map((event) => event.at_seconds), 1e-6);
  const place = (at: number): number => ((at - start) / (end - start)) * 100;
  return (
    <div class="waterfall" role="img" aria-label={timeline.map((event) => `${event.event} at ${text(seconds(event.at_seconds))}`).join(", ")}>
      <div class="lane whole"><span style={{ left: `${place(0)}%`, width: `${place(end) - place(0)}%` }} />{timeline.map((event) => <i key={event.event} style={{ left: `min(${place(event.at_seconds)}%, 100% - 1px)` }} />)}<b>request {text(seconds(end))}</b></div>
      {parts.map((part) => (
        <div class="lane" key={part.name}>
          <span style={{ left: `${place(part.name === "queue" ? start : 0)}%`, width: `${(part.seconds / (end - start)) * 100}%` }} />
          <b>{part.name} {text(seconds(part.seconds))}{part.times > 1 ? `, ${digits(part.times)} times` : ""}</b>
        </div>
      ))}
      <ol class="events">
        {timeline.map((event) => <li key={event.event}>{event.event} <b>{text(seconds(event.at_seconds))}</b></li>)}
      </ol>
    </div>
  );
}

function Found({ finding }: { finding: FollowedFinding }) {
  return <p class={`finding ${finding.severity === "critical" ? "critical" : "warn"}`}><b class="sentence">{finding.kind.replaceAll("_", " ")}:</b> {finding.subject}</p>;
}

function Traceback({ raised }: { raised: Raised }) {
  return (
    <section>
      <h3 class="number critical">{raised.type}</h3>
      <ol class="traceback">
        {runs(raised.lines).map((lines, index) => (lines.length > FOLDED && !lines[0]!.own
          ? <li key={index}><details><summary>{lines.length} lines of libraries</summary><ol>{lines.map(place)}</ol></details></li>
          : lines.map(place)))}
      </ol>
    </section>
  );
}

/** More lines of libraries than these, one after the other, are shown only when they are asked for. */
const FOLDED = 3;

/** Lines that follow each other and are all the app's own, or all not. */
function runs(lines: readonly Line[]): readonly (readonly Line[])[] {
  const found: Line[][] = [];
  for (const line of lines) {
    const latest = found.at(-1);
    if (latest?.[0]!.own === line.own) latest.push(line);
    else found.push([line]);
  }
  return found;
}

function place(line: Line, index: number) {
  return (
    <li key={index} class={line.own ? "own" : ""}>
      <span class="route">{line.file}:{line.line}</span> <small>in {line.function}</small>
      {line.text && <code>{line.text}</code>}
    </li>
  );
}

const QUERIES: readonly Column<FollowedQuery>[] = [
  { key: "text", name: "Statement", hint: HINTS.FollowedQuery.text, value: (row) => row.text, cell: (row) => <Statement text={row.text || row.fingerprint} below={row.site} /> },
  { key: "times", name: "Times", hint: HINTS.FollowedQuery.times, numeric: true, value: (row) => row.times, cell: (row) => text(count(row.times)) },
  { key: "seconds", name: "Time", hint: HINTS.FollowedQuery.seconds, numeric: true, value: (row) => row.seconds, cell: (row) => text(seconds(row.seconds)) },
];
