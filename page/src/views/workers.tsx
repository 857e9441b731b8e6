// The living workers.

import { HINTS, type Worker } from "../documents.ts";
import { bytes, count, NONE, ratio, seconds, text } from "../format.ts";
import { type Column, Table } from "../parts/table.tsx";

const HINT = HINTS.Worker;

const COLUMNS: readonly Column<Worker>[] = [
  { key: "pid", name: "Worker", hint: HINT.pid, value: (row) => row.pid },
  number("cpu_ratio", "Processor", (row) => text(ratio(row.cpu_ratio))),
  number("memory_bytes", "Memory", (row) => text(bytes(row.memory_bytes))),
  number("tasks", "Tasks", (row) => text(count(row.tasks))),
  number("uptime_seconds", "Up for", (row) => text(seconds(row.uptime_seconds))),
];

const MORE: readonly Column<Worker>[] = [
  number("memory_unique_bytes", "Own memory", (row) => text(bytes(row.memory_unique_bytes))),
  number("threads", "Threads", (row) => text(count(row.threads))),
  number("thread_calls", "AnyIO threads", (row) => (row.thread_limit === null ? NONE : `${text(count(row.thread_calls))} of ${text(count(row.thread_limit))}`)),
  number("thread_waiting", "Waiting", (row) => text(count(row.thread_waiting))),
  number("executor_queued", "Executor queue", (row) => text(count(row.executor_queued))),
  number("open_files", "Open files", (row) => text(count(row.open_files))),
  number("sockets", "Sockets", (row) => text(count(row.sockets))),
];

function number(key: Exclude<keyof Worker, "pid">, name: string, cell: (row: Worker) => string): Column<Worker> {
  return { key, name, hint: HINT[key], numeric: true, value: (row) => row[key], cell };
}

export function WorkerTable({ workers, brief }: { workers: readonly Worker[]; brief?: boolean }) {
  return (
    <Table
      caption="Workers" columns={brief ? COLUMNS : [...COLUMNS, ...MORE]} rows={workers} rowKey={(row) => `${row.pid}`}
      empty="No worker is alive."
    />
  );
}
