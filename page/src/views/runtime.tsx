// The machine, the workers, and their Python.

import type { Context } from "../context.ts";
import { type Disk, type Generation, HINTS, type Stall, type System } from "../documents.ts";
import { ago, bytes, count, digits, NONE, seconds, text } from "../format.ts";
import { href } from "../place.ts";
import { level } from "../levels.ts";
import { Card, Missing } from "../parts/card.tsx";
import { Meter } from "../parts/meter.tsx";
import { Stat } from "../parts/stat.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { named } from "./endpoints.tsx";
import { WorkerTable } from "./workers.tsx";

export function Runtime({ document, context: { thresholds } }: { document: System; context: Context }) {
  const { machine, event_loop_lag: lag, thread_wait: wait } = document;
  const sampled = machine.cpu_use_ratio !== null || document.workers.some((worker) => worker.memory_bytes !== null);
  return (
    <>
      <div class="stats">
        <Stat label="Workers" hint={HINTS.System.workers} quantity={count(document.workers.length)}>{text(count(document.worker_starts))} started in this window</Stat>
        <Stat label="Loop lag p99" hint={HINTS.System.event_loop_lag} quantity={seconds(lag.p99_seconds)} level={level(thresholds["event_loop_lag_p99"], lag.p99_seconds)}>longest {text(seconds(lag.max_seconds))}</Stat>
        <Stat label="Loop stalls" hint={HINTS.System.event_loop_stalls} quantity={count(document.event_loop_stalls)} level={document.event_loop_stalls ? "warn" : "ok"}>of 100 ms or longer</Stat>
        <Stat label="Thread wait p95" hint={HINTS.System.thread_wait} quantity={seconds(wait.p95_seconds)}>{text(count(wait.count))} had to wait</Stat>
        {document.queue_time.count > 0 && (
          <Stat label="Queue p95" hint={HINTS.System.queue_time} quantity={seconds(document.queue_time.p95_seconds)}>p50 {text(seconds(document.queue_time.p50_seconds))}</Stat>
        )}
        <Stat label="Own store" hint={HINTS.System.store_bytes} quantity={bytes(document.store_bytes)} level={document.own_failures ? "warn" : "ok"}>{text(count(document.own_failures))} own failures</Stat>
      </div>
      {!sampled && (
        <Missing title="The machine and the workers are not sampled" code="pip install 'stethoscope[vitals]'">
          Processor, memory, files and sockets are read with psutil, every few seconds, once it is installed.
        </Missing>
      )}
      <Card title="Workers" hint={HINTS.System.workers} wide><WorkerTable workers={document.workers} /></Card>
      <Card title="What blocked the event loop" hint={HINTS.System.stalls} wide>
        <Table caption="What blocked the event loop" columns={STALLS} rows={document.stalls} rowKey={(row) => row.where} empty="Nothing has, for 100 ms or longer." />
      </Card>
      <div class="columns">
        <Card title="Machine" hint="What may be used, by the cgroup's limits where there are any, and how much of it is.">
          <div class="meters">
            <Meter label="Processor" hint={HINTS.Machine.cpu_use_ratio} value={machine.cpu_use_ratio} level={level(thresholds["cpu_use"], machine.cpu_use_ratio)} note={machine.cpu_limit_cores === null ? "" : `of ${digits(machine.cpu_limit_cores)} cores, load ${machine.load_1m === null ? NONE : digits(machine.load_1m)}`} />
            <Meter label="Memory" hint={HINTS.Machine.memory_use_ratio} value={machine.memory_use_ratio} level={level(thresholds["memory_use"], machine.memory_use_ratio)} note={machine.memory_limit_bytes === null ? "" : `of ${text(bytes(machine.memory_limit_bytes))}, swap ${text(bytes(machine.swap_used_bytes))}`} />
            {machine.disks.map((disk: Disk) => <Meter key={disk.mountpoint} label={`Disk ${disk.mountpoint}`} hint={HINTS.Disk.use_ratio} value={disk.use_ratio} level={level(thresholds["disk_use"], disk.use_ratio)} />)}
          </div>
        </Card>
        <Card title="Network" hint="Bytes per second of the window, by interface.">
          {machine.networks.length === 0 && <p class="empty">{NONE}</p>}
          <dl class="facts">
            {machine.networks.map((one) => <div key={one.interface}><dt>{one.interface}</dt><dd>{text(bytes(one.receive_bytes_per_second))}/s in, {text(bytes(one.transmit_bytes_per_second))}/s out</dd></div>)}
          </dl>
        </Card>
        <Card title="Garbage collector" hint={HINTS.System.garbage_collection}>
          <Table caption="Garbage collector" columns={GENERATIONS} rows={document.garbage_collection} rowKey={(row) => row.generation} empty="No run in this window." />
        </Card>
      </div>
    </>
  );
}

const STALLS: readonly Column<Stall>[] = [
  { key: "where", name: "Line", hint: HINTS.Stall.where, value: (row) => row.where, cell: (row) => <Where stall={row} /> },
  { key: "longest", name: "Longest", hint: HINTS.Stall.longest_seconds, numeric: true, value: (row) => row.longest_seconds, cell: (row) => text(seconds(row.longest_seconds)) },
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

const GENERATIONS: readonly Column<Generation>[] = [
  { key: "generation", name: "Generation", hint: HINTS.Generation.generation, value: (row) => row.generation },
  { key: "runs", name: "Runs", hint: HINTS.Generation.collection_count, numeric: true, value: (row) => row.collection_count, cell: (row) => text(count(row.collection_count)) },
  { key: "freed", name: "Freed", hint: HINTS.Generation.collected_count, numeric: true, value: (row) => row.collected_count, cell: (row) => text(count(row.collected_count)) },
  { key: "pause", name: "Longest pause", hint: HINTS.Generation.pause, numeric: true, value: (row) => row.pause.max_seconds, cell: (row) => text(seconds(row.pause.max_seconds)) },
];
