// The machine, the workers, and their Python.

import type { Context } from "../context.ts";
import { type Disk, type Generation, HINTS, type Network, type Stall, type System } from "../documents.ts";
import { ago, between, bytes, count, counted, digits, NONE, seconds, text } from "../format.ts";
import { href } from "../place.ts";
import { level } from "../levels.ts";
import { Card, Missing } from "../parts/card.tsx";
import { Gradually } from "../parts/gradually.tsx";
import { Meter } from "../parts/meter.tsx";
import { Stat } from "../parts/stat.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { named } from "./endpoints.tsx";
import { WorkerTable } from "./workers.tsx";

export function Runtime({ document, context: { thresholds } }: { document: System; context: Context }) {
  const { machine, event_loop_lag: lag, thread_wait: wait } = document;
  const sampled = machine.cpu_use_ratio !== null || document.workers.some((worker) => worker.memory_bytes !== null);
  return (
    <Gradually>
      <div class="stats">
        <Stat label="Workers" hint={HINTS.System.workers} quantity={count(document.workers.length)}>{text(count(document.worker_starts))} started in this window</Stat>
        <Stat label="Event-loop lag p99" hint={HINTS.System.event_loop_lag} quantity={seconds(lag.p99_seconds)} level={level(thresholds["event_loop_lag_p99"], lag.p99_seconds)}>longest {text(seconds(lag.max_seconds))}</Stat>
        <Stat label="Event-loop stalls" hint={HINTS.System.event_loop_stalls} quantity={count(document.event_loop_stalls)} level={document.event_loop_stalls ? "warn" : "ok"}>of about 100 ms or longer</Stat>
        <Stat label="Thread wait p95" hint={HINTS.System.thread_wait} quantity={seconds(wait.p95_seconds)}>{text(count(wait.count))} had to wait</Stat>
        {document.queue_time.count > 0 && (
          <Stat label="Queue p95" hint={HINTS.System.queue_time} quantity={seconds(document.queue_time.p95_seconds)}>p50 {text(seconds(document.queue_time.p50_seconds))}</Stat>
        )}
        <Stat label="Stethoscope" hint={`${HINTS.System.store_bytes} ${HINTS.System.own_failures}`} quantity={bytes(document.store_bytes)} level={document.own_failures ? "warn" : "ok"}>of shared memory, {counted(document.own_failures, "failure")}</Stat>
      </div>
      {!sampled && (
        <Missing title="The machine and the workers are not sampled" code="pip install 'stethoscope[vitals]'">
          Processor, memory, files and sockets are read with psutil, every few seconds, once it is installed.
        </Missing>
      )}
      <Card title="Workers" hint={HINTS.System.workers} wide><WorkerTable workers={document.workers} /></Card>
      <Card title="What blocked the event loop" hint={HINTS.System.stalls} wide>
        <Table caption="What blocked the event loop" columns={STALLS} rows={document.stalls} rowKey={(row) => row.where} empty="Nothing has, for about 100 ms or longer." />
      </Card>
      <div class="columns">
        <Card title="Machine" hint="What may be used, by the cgroup's limits where there are any, and how much of it is.">
          <div class="meters">
            <Meter label="Processor" hint={HINTS.Machine.cpu_use_ratio} value={machine.cpu_use_ratio} level={level(thresholds["cpu_use"], machine.cpu_use_ratio)} note={machine.cpu_limit_cores === null ? "" : `of ${counted(machine.cpu_limit_cores, "core")}, load ${machine.load_1m === null ? NONE : digits(machine.load_1m)}`} />
            <Meter label="Memory" hint={HINTS.Machine.memory_use_ratio} value={machine.memory_use_ratio} level={level(thresholds["memory_use"], machine.memory_use_ratio)} note={machine.memory_limit_bytes === null ? "" : `of ${text(bytes(machine.memory_limit_bytes))}, and ${text(bytes(machine.swap_used_bytes))} of swap`} />
            {machine.disks.map((disk: Disk) => <Meter key={disk.mountpoint} label={`Disk ${disk.mountpoint}`} hint={HINTS.Disk.use_ratio} value={disk.use_ratio} level={level(thresholds["disk_use"], disk.use_ratio)} />)}
          </div>
        </Card>
        <Card title="Network" hint="Bytes per second of the window, by interface.">
          <Table caption="Network" columns={NETWORKS} rows={machine.networks} rowKey={(row) => row.interface} sortedBy="in" empty="No interface is known." />
        </Card>
        <Card title="Garbage collector" hint={HINTS.System.garbage_collection}>
          <Table caption="Garbage collector" columns={GENERATIONS} rows={document.garbage_collection} rowKey={(row) => row.generation} empty="No run in this window." />
        </Card>
      </div>
    </Gradually>
  );
}

const STALLS: readonly Column<Stall>[] = [
  { key: "where", name: "Line", hint: HINTS.Stall.where, value: (row) => row.where, cell: (row) => <Where stall={row} /> },
  { key: "longest", name: "Longest", hint: "How long the longest of them was, at least and at most.", numeric: true, value: (row) => row.longest_seconds, cell: (row) => between(row.longest_seconds, row.longest_at_most_seconds) },
  { key: "times", name: "Times", hint: HINTS.Stall.times, numeric: true, value: (row) => row.times, cell: (row) => text(count(row.times)) },
  { key: "route", name: "Route", hint: HINTS.Stall.route, wide: true, value: (row) => row.route, cell: (row) => (row.request_id ? <a class="route" href={href("requests", row.request_id)}>{named(row.route) || "a request"}</a> : named(row.route) || NONE) },
  { key: "last", name: "Last", hint: HINTS.Stall.last_at_unix_seconds, numeric: true, wide: true, value: (row) => row.last_at_unix_seconds, cell: (row) => ago(row.last_at_unix_seconds) },
];

function Where({ stall }: { stall: Stall }) {
  return (
    <details class="stack">
      <summary class="route">{stall.where}</summary>
      <pre tabIndex={0}><code>{stall.stack.join("\n")}</code></pre>
    </details>
  );
}

const NETWORKS: readonly Column<Network>[] = [
  { key: "interface", name: "Interface", hint: HINTS.Network.interface, value: (row) => row.interface },
  { key: "in", name: "In", hint: HINTS.Network.receive_bytes_per_second, numeric: true, value: (row) => row.receive_bytes_per_second, cell: (row) => `${text(bytes(row.receive_bytes_per_second))}/s` },
  { key: "out", name: "Out", hint: HINTS.Network.transmit_bytes_per_second, numeric: true, value: (row) => row.transmit_bytes_per_second, cell: (row) => `${text(bytes(row.transmit_bytes_per_second))}/s` },
];

const GENERATIONS: readonly Column<Generation>[] = [
  { key: "generation", name: "Generation", hint: HINTS.Generation.generation, value: (row) => row.generation },
  { key: "runs", name: "Runs", hint: HINTS.Generation.collection_count, numeric: true, value: (row) => row.collection_count, cell: (row) => text(count(row.collection_count)) },
  { key: "freed", name: "Freed", hint: HINTS.Generation.collected_count, numeric: true, value: (row) => row.collected_count, cell: (row) => text(count(row.collected_count)) },
  { key: "pause", name: "Longest pause", hint: HINTS.Generation.pause, numeric: true, value: (row) => row.pause.max_seconds, cell: (row) => text(seconds(row.pause.max_seconds)) },
];
