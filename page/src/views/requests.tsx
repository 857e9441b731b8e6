// Requests that can be followed, and the way to one by its ID.

import { useEffect, useState } from "preact/hooks";
import { get, SignedOut } from "../api.ts";
import type { Context } from "../context.ts";
import { type Followed, type FollowedPage, type FollowedRequest, HINTS } from "../documents.ts";
import { ago, count, NONE, seconds, text } from "../format.ts";
import { href } from "../place.ts";
import { Card, Missing } from "../parts/card.tsx";
import { EndpointName } from "./endpoints.tsx";
import { RequestCard } from "./request.tsx";
import { type Column, Table } from "../parts/table.tsx";

interface Props {
  readonly document: FollowedPage;
  readonly id: string | undefined;
  readonly context: Context;
}

export function Requests({ document, id, context }: Props) {
  const [wanted, setWanted] = useState(id ?? "");
  useEffect(() => setWanted(id ?? ""), [id]);
  const { held, newer, release } = useHeld(document.items);
  const search = (
    <>
      {newer > 0 && <button type="button" class="link" onClick={release}>Show {newer} newer</button>}
      <form class="search" onSubmit={(event) => { event.preventDefault(); location.hash = href("requests", ...(wanted.trim() ? [wanted.trim()] : [])); }}>
        <label><span class="unseen">Request ID</span><input type="search" placeholder="Request ID, from a log line or a response" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} /></label>
        <button type="submit">Open</button>
      </form>
    </>
  );
  return (
    <>
      {id && <One key={id} id={id} listed={document.items.some((one) => one.request_id === id)} context={context} />}
      <Card title="Requests" hint="The slowest, the failed, and a sample of each route, of all workers; the latest first. They stay in place: newer ones come when you ask for them." more={search} wide>
        <Table caption="Requests that can be followed" columns={COLUMNS} rows={held} rowKey={keyOf} empty={<None />} />
      </Card>
    </>
  );
}

const keyOf = (request: Followed): string => `${request.request_id} ${request.at_unix_seconds}`;

/** Rows that stay where they are while somebody reads them, and how many newer ones there are. */
function useHeld(items: readonly Followed[]) {
  const [held, setHeld] = useState(items);
  const release = (): void => setHeld(items);
  useEffect(() => {
    if (held.length === 0) release();
  });
  const known = new Set(held.map(keyOf));
  return { held, newer: items.filter((one) => !known.has(keyOf(one))).length, release };
}

function None() {
  return <>No request is kept to be followed yet. The slowest, the failed and a sample of each route are kept as they come; search opens one by its <code>X-Request-ID</code>.</>;
}

/** Milliseconds: answers of the API are up to two seconds old. */
const AGAIN = 2000;

const COLUMNS: readonly Column<Followed>[] = [
  { key: "request_id", name: "Request ID", hint: HINTS.Followed.request_id, value: (row) => row.request_id, cell: (row) => <a class="route short" href={href("requests", row.request_id)} title={row.request_id}>{row.request_id}</a> },
  { key: "route", name: "Route", hint: HINTS.Followed.route, value: (row) => row.route, cell: (row) => <span class="endpoint" title={row.route}><EndpointName method={row.method} route={row.route} /></span> },
  { key: "status", name: "Status", hint: HINTS.Followed.status, numeric: true, value: (row) => row.status, cell: (row) => <span class={`number ${(row.status ?? 500) >= 500 ? "critical" : "ok"}`}>{row.status ?? NONE}</span> },
  { key: "duration", name: "Duration", hint: HINTS.Followed.duration_seconds, numeric: true, value: (row) => row.duration_seconds, cell: (row) => text(seconds(row.duration_seconds)) },
  { key: "queries", name: "Queries", hint: HINTS.Followed.query_count, numeric: true, wide: true, value: (row) => row.query_count, cell: (row) => text(count(row.query_count)) },
  { key: "kept", name: "Kept as", hint: HINTS.Followed.kept_as, wide: true, value: (row) => row.kept_as },
  { key: "error", name: "What went wrong", hint: HINTS.Followed.error_type, wide: true, value: (row) => row.error_type, cell: (row) => row.error_type.split(".").at(-1) },
  { key: "at", name: "When", hint: HINTS.Followed.at_unix_seconds, numeric: true, wide: true, value: (row) => row.at_unix_seconds, cell: (row) => ago(row.at_unix_seconds) },
];

/** Asked for again while it is `listed`: who opens one at once may have come before it was kept, or asked a worker that did not know yet. */
function One({ id, listed, context: { onSignedOut } }: { id: string; listed: boolean; context: Context }) {
  const [found, setFound] = useState<FollowedRequest>();
  const [missing, setMissing] = useState("");
  useEffect(() => {
    let over = false;
    const ask = () => void get<FollowedRequest>(`requests/${encodeURIComponent(id)}`).then(setFound, (error: Error) => {
      if (error instanceof SignedOut) return onSignedOut();
      setMissing(error.message);
      if (listed && !over) setTimeout(ask, AGAIN);
    });
    ask();
    return () => void (over = true);
  }, [listed]);
  if (missing && !found) return <Missing title={`No request “${id}” is kept`}>{missing} Kept are the slowest, the failed and a sample of each route, until others take their place.</Missing>;
  if (!found) return <p class="empty" role="status">Looking for it…</p>;
  return <RequestCard request={found} />;
}
