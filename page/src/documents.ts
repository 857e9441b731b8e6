// Written by tools/page_types.py from the API's description. Not to be edited.

/** A number that is beyond a threshold. */
export interface Alert {
  threshold: string;
  what: string;
  subject: string;
  level: "ok" | "warn" | "critical";
  value: number;
  limit: number;
  unit: string;
}

/** All numbers that are beyond a threshold. */
export interface Alerts {
  window: Window;
  items: Alert[];
}

/** A bar of a distribution. */
export interface Bar {
  from_seconds: number;
  to_seconds: number;
  count: number;
}

/** All database work. */
export interface Database {
  window: Window;
  total: Latency;
  operations: Operation[];
  pools: Pool[];
  slow_queries: SlowQuery[];
}

/** All findings. */
export interface Diagnosis {
  items: Finding[];
}

/** A file system. */
export interface Disk {
  mountpoint: string;
  use_ratio: number;
}

/** One method of one route template. */
export interface Endpoint {
  count: number;
  rate_per_second: number;
  mean_seconds: number | null;
  min_seconds: number | null;
  p50_seconds: number | null;
  p95_seconds: number | null;
  p99_seconds: number | null;
  max_seconds: number | null;
  error_count: number;
  error_ratio: number;
  disconnect_count: number;
  method: string;
  route: string;
  time_ratio: number;
  statuses: Record<string, number>;
  errors: Record<string, number>;
  last_error: LastError | null;
}

/** All about one endpoint. */
export interface EndpointReport {
  window: Window;
  endpoint: Endpoint;
  distribution: Bar[];
  first_byte: Latency;
  background: Latency;
  request_bytes_mean: number | null;
  response_bytes_mean: number | null;
  queries_mean: number | null;
  queries_max: number | null;
  query_time: Latency;
}

/** A page of the table of endpoints. */
export interface Endpoints {
  window: Window;
  total: number;
  offset: number;
  items: Endpoint[];
}

/** Something that happened to a request. */
export interface Event {
  event: string;
  at_seconds: number;
}

/** One illness of one part of the service. */
export interface Finding {
  kind: string;
  severity: "critical" | "warning" | "info";
  summary: string;
  cure: string;
  route: string;
  subject: string;
  occurrences: number;
  first_at_unix_seconds: number;
  last_at_unix_seconds: number;
  evidence: Record<string, unknown>;
}

/** A request that was kept: among the slowest of its route, failed, or of the sample. */
export interface Followed {
  request_id: string;
  at_unix_seconds: number;
  method: string;
  route: string;
  status: number | null;
  duration_seconds: number | null;
  error_type: string;
  kept_as: string;
  query_count: number;
}

/** Something wrong with the request. */
export interface FollowedFinding {
  kind: string;
  severity: string;
  subject: string;
  evidence: Record<string, unknown>;
}

/** A page of the requests that were kept. */
export interface FollowedPage {
  total: number;
  offset: number;
  items: Followed[];
}

/** A statement that the request ran. */
export interface FollowedQuery {
  fingerprint: string;
  text: string;
  times: number;
  seconds: number;
  site: string;
}

/** One request with all that is known of it. */
export interface FollowedRequest {
  request_id: string;
  at_unix_seconds: number;
  method: string;
  route: string;
  status: number | null;
  duration_seconds: number | null;
  error_type: string;
  kept_as: string;
  query_count: number;
  trace_id: string;
  worker: number;
  received_bytes: number;
  sent_bytes: number;
  timeline: Event[];
  parts: Part[];
  queries: FollowedQuery[];
  findings: FollowedFinding[];
  exception: Raised[];
}

/** A generation of the garbage collector. */
export interface Generation {
  generation: string;
  collection_count: number;
  collected_count: number;
  pause: Latency;
}

/** The last request of an endpoint that failed and is kept to be followed. */
export interface LastError {
  type: string;
  status: number | null;
  at_unix_seconds: number;
  request_id: string;
}

/** Times of a kind of operation. */
export interface Latency {
  count: number;
  rate_per_second: number;
  mean_seconds: number | null;
  min_seconds: number | null;
  p50_seconds: number | null;
  p95_seconds: number | null;
  p99_seconds: number | null;
  max_seconds: number | null;
}

/** A threshold. */
export interface Limits {
  what: string;
  unit: string;
  warn: number | null;
  critical: number | null;
  below: boolean;
}

/** A line of a traceback. */
export interface Line {
  file: string;
  line: number;
  function: string;
  own: boolean;
  text: string;
}

/** The machine, and what of it the service may use (its cgroup's limits, where it has any). */
export interface Machine {
  cpu_use_ratio: number | null;
  cpu_limit_cores: number | null;
  cpu_throttled_ratio: number;
  load_1m: number | null;
  load_5m: number | null;
  load_15m: number | null;
  memory_use_ratio: number | null;
  memory_limit_bytes: number | null;
  swap_used_bytes: number;
  disks: Disk[];
  networks: Network[];
}

/** A network interface. */
export interface Network {
  interface: string;
  receive_bytes_per_second: number;
  transmit_bytes_per_second: number;
}

/** One kind of operation on one table. */
export interface Operation {
  count: number;
  rate_per_second: number;
  mean_seconds: number | null;
  min_seconds: number | null;
  p50_seconds: number | null;
  p95_seconds: number | null;
  p99_seconds: number | null;
  max_seconds: number | null;
  system: string;
  operation: string;
  collection: string;
  error_count: number;
}

/** The service at a glance. */
export interface Overview {
  service: string;
  window: Window;
  level: "ok" | "warn" | "critical";
  requests: Requests;
  active_requests: number;
  active_websockets: number;
  busiest: Endpoint[];
  slowest: Endpoint[];
  failing: Endpoint[];
  queries: Latency;
  pools: Pool[];
  machine: Machine;
  workers: Worker[];
  event_loop_lag: Latency;
  alerts: Alert[];
  findings: Finding[];
}

/** A part of a request's time. */
export interface Part {
  name: string;
  seconds: number;
  times: number;
}

/** One step of time, of all workers together. */
export interface Point {
  at_unix_seconds: number;
  seconds: number;
  requests_per_second: number;
  errors_per_second: number;
  error_ratio: number;
  p50_seconds: number | null;
  p95_seconds: number | null;
  p99_seconds: number | null;
  active_requests: number;
  workers: number;
  queries_per_second: number;
  query_p95_seconds: number | null;
  routes: Record<string, RoutePoint>;
}

/** A connection pool, all workers together. */
export interface Pool {
  name: string;
  used: number;
  idle: number;
  limit: number | null;
  size: number | null;
  overflow: number | null;
  use_ratio: number | null;
  pending: number;
  timeout_count: number;
  wait: Latency;
  use: Latency;
  create: Latency;
}

/** All connection pools. */
export interface Pools {
  window: Window;
  items: Pool[];
}

/** A problem (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
}

/** An exception. */
export interface Raised {
  type: string;
  lines: Line[];
}

/** Everything in one document. */
export interface Report {
  service: string;
  window: Window;
  requests: Requests;
  endpoints: Endpoint[];
  database: Database;
  system: System;
  alerts: Alert[];
  findings: Finding[];
}

/** Requests whose response was completed in the window; times are from arrival to the last byte. */
export interface Requests {
  count: number;
  rate_per_second: number;
  mean_seconds: number | null;
  min_seconds: number | null;
  p50_seconds: number | null;
  p95_seconds: number | null;
  p99_seconds: number | null;
  max_seconds: number | null;
  error_count: number;
  error_ratio: number;
  disconnect_count: number;
}

/** One route in one step of time. */
export interface RoutePoint {
  requests_per_second: number;
  error_ratio: number;
  p95_seconds: number | null;
}

/** Statements that took long. */
export interface SlowQueries {
  window: Window;
  total: number;
  offset: number;
  items: SlowQuery[];
}

/** A statement that took longer than the threshold for slow ones, at least once in the window. */
export interface SlowQuery {
  count: number;
  rate_per_second: number;
  mean_seconds: number | null;
  min_seconds: number | null;
  p50_seconds: number | null;
  p95_seconds: number | null;
  p99_seconds: number | null;
  max_seconds: number | null;
  fingerprint: string;
  statement: string | null;
  system: string;
  routes: string[];
  call_site: string | null;
  last_request_id: string | null;
  last_at_unix_seconds: number | null;
}

/** The slowest endpoints. */
export interface Slowest {
  window: Window;
  items: Endpoint[];
}

/** A line of code that blocked an event loop for 100 ms or longer, measured to within 60 ms. */
export interface Stall {
  where: string;
  times: number;
  longest_seconds: number;
  longest_at_most_seconds: number;
  route: string;
  request_id: string;
  worker: number;
  last_at_unix_seconds: number;
  stack: string[];
}

/** The machine, the workers, and their Python. */
export interface System {
  window: Window;
  machine: Machine;
  workers: Worker[];
  worker_starts: number;
  event_loop_lag: Latency;
  event_loop_stalls: number;
  stalls: Stall[];
  queue_time: Latency;
  thread_wait: Latency;
  garbage_collection: Generation[];
  store_bytes: number;
  own_failures: number;
}

/** From what value on a number is trouble. */
export interface ThresholdTable {
  items: Record<string, Limits>;
}

/** What happened in each step of time. */
export interface Timeline {
  items: Point[];
}

/** What the numbers of a document cover. */
export interface Window {
  name: "1m" | "5m" | "15m" | "all";
  seconds: number;
  until_unix_seconds: number;
  workers: (number | string)[];
}

/** A living worker process, as it was sampled last. */
export interface Worker {
  pid: number | string;
  uptime_seconds: number | null;
  cpu_ratio: number | null;
  memory_bytes: number | null;
  memory_unique_bytes: number | null;
  threads: number | null;
  open_files: number | null;
  open_files_limit: number | null;
  sockets: number | null;
  tasks: number | null;
  thread_calls: number | null;
  thread_limit: number | null;
  thread_waiting: number | null;
  executor_queued: number | null;
}

export const HINTS = {
  Alert: {
    threshold: "Name of the threshold, as in the setting.",
    what: "What the number is.",
    subject: "Of what it is: a route, a pool, a worker; empty for the whole service.",
    level: "How bad it is: warn or critical.",
    value: "The number now, in its unit.",
    limit: "The threshold that it is beyond, in the same unit.",
    unit: "seconds, ratio (0 to 1), count, or another word.",
  },
  Alerts: {
    items: "The critical ones first.",
  },
  Bar: {
    from_seconds: "Durations above this.",
    to_seconds: "Durations up to this.",
    count: "How many there were.",
  },
  Database: {
    total: "All operations.",
    operations: "Those that took most time together first.",
    pools: "The connection pools, by name.",
    slow_queries: "Statements that took long, at most 20.",
  },
  Diagnosis: {
    items: "The worst and most frequent first.",
  },
  Disk: {
    mountpoint: "Where it is mounted.",
    use_ratio: "Share of its space that is used (0 to 1).",
  },
  Endpoint: {
    count: "How many were completed in the window.",
    rate_per_second: "How many were completed, per second of the window.",
    mean_seconds: "Sum of all durations by their number.",
    min_seconds: "The shortest; at most 1 % off.",
    p50_seconds: "Half took no longer than this; at most 1 % off.",
    p95_seconds: "95 of 100 took no longer than this; at most 1 % off.",
    p99_seconds: "99 of 100 took no longer than this; at most 1 % off.",
    max_seconds: "The longest; at most 1 % off.",
    error_count: "Requests that failed on our side: 5xx, and exceptions in the middle of a response.",
    error_ratio: "Share of requests that failed on our side (0 to 1).",
    disconnect_count: "Requests whose client left before the end.",
    method: "The HTTP method; _OTHER for all that are not known, empty for __overflow__.",
    route: "The route template; __unmatched__ for paths that no route takes, __overflow__ for all that are not counted apart.",
    time_ratio: "Share of the time of all requests that went into these (0 to 1).",
    statuses: "Requests by response status; none when nothing was sent, unknown for __overflow__.",
    errors: "Requests that did not end well, by exception class, status, or how the client left.",
    last_error: "The last request that failed; none while none did, or is kept no more.",
  },
  EndpointReport: {
    distribution: "How durations are distributed, four bars an octave, gaps included.",
    first_byte: "Time to the start of the response, for responses sent in several parts.",
    background: "Time that the app went on working for requests after their response.",
    request_bytes_mean: "Mean size of request bodies, of requests with one.",
    response_bytes_mean: "Mean size of response bodies.",
    queries_mean: "Mean number of database operations of the route's requests that had any, whatever their method.",
    queries_max: "Most database operations of a request to the route, whatever its method; at most 1 % off.",
    query_time: "Time in database operations of the route's requests that had any, whatever their method.",
  },
  Endpoints: {
    total: "Endpoints that there are, on all pages.",
    offset: "Endpoints before the first of this page.",
    items: "The endpoints of this page.",
  },
  Event: {
    event: "What happened.",
    at_seconds: "When, in seconds since the arrival; before it, where a proxy held the request.",
  },
  Finding: {
    kind: "Which illness it is.",
    severity: "How much it hurts: critical, warning or info.",
    summary: "What was found, in a sentence.",
    cure: "What to change, in a sentence.",
    route: "The route in whose requests it showed; empty outside of requests.",
    subject: "What it was found at: a relationship, a statement, a line, a pool.",
    occurrences: "Requests in which it showed, or times that a line blocked the loop, or waits for a pool; since the beginning or the last reset.",
    first_at_unix_seconds: "When it was seen first, as Unix time.",
    last_at_unix_seconds: "When it was noted last, as Unix time.",
    evidence: "Figures of the last occurrence that was noted, in base units.",
  },
  Followed: {
    request_id: "Its correlation ID, as in logs and in the response's X-Request-ID.",
    at_unix_seconds: "When it arrived, as Unix time.",
    method: "The HTTP method.",
    route: "The route template.",
    status: "The response's status; none when nothing was sent.",
    duration_seconds: "Time from its arrival to the last byte of its response.",
    error_type: "What went wrong; empty when nothing did.",
    kept_as: "Why it is kept: slow, failed, or a sample.",
    query_count: "Database operations of the request.",
  },
  FollowedFinding: {
    kind: "Which illness it is.",
    severity: "How much it hurts.",
    subject: "What it was found at.",
    evidence: "The figures that show it, in base units.",
  },
  FollowedPage: {
    total: "Requests that match, on all pages.",
    offset: "Requests before the first of this page.",
    items: "The latest first.",
  },
  FollowedQuery: {
    fingerprint: "What stands for the statement without its literals.",
    text: "The statement without its literals.",
    times: "How often it was run.",
    seconds: "Time that all of it took.",
    site: "The line of the app that ran it.",
  },
  FollowedRequest: {
    request_id: "Its correlation ID, as in logs and in the response's X-Request-ID.",
    at_unix_seconds: "When it arrived, as Unix time.",
    method: "The HTTP method.",
    route: "The route template.",
    status: "The response's status; none when nothing was sent.",
    duration_seconds: "Time from its arrival to the last byte of its response.",
    error_type: "What went wrong; empty when nothing did.",
    kept_as: "Why it is kept: slow, failed, or a sample.",
    query_count: "Database operations of the request.",
    trace_id: "The trace that it is a part of, 32 hexadecimal digits; empty without one.",
    worker: "Process id of the worker that answered it.",
    received_bytes: "Bytes of its body that the app read.",
    sent_bytes: "Bytes of the response's body.",
    timeline: "What happened when.",
    parts: "Where the time went, as far as it is known.",
    queries: "Its statements, those that took longest first.",
    findings: "What was wrong with it.",
    exception: "The exception, then those that it came from.",
  },
  Generation: {
    generation: "0 holds the youngest objects, 2 the oldest.",
    collection_count: "Runs in the window.",
    collected_count: "Objects freed in the window.",
    pause: "Time that a run held up all Python code of its worker.",
  },
  LastError: {
    type: "Exception class, or the status.",
    status: "The response's status; none when nothing was sent.",
    at_unix_seconds: "When it arrived, as Unix time.",
    request_id: "Its correlation ID.",
  },
  Latency: {
    count: "How many were completed in the window.",
    rate_per_second: "How many were completed, per second of the window.",
    mean_seconds: "Sum of all durations by their number.",
    min_seconds: "The shortest; at most 1 % off.",
    p50_seconds: "Half took no longer than this; at most 1 % off.",
    p95_seconds: "95 of 100 took no longer than this; at most 1 % off.",
    p99_seconds: "99 of 100 took no longer than this; at most 1 % off.",
    max_seconds: "The longest; at most 1 % off.",
  },
  Limits: {
    what: "What it is about.",
    unit: "seconds, ratio (0 to 1), count, or another word.",
    warn: "Beyond this it wants to be looked at.",
    critical: "Beyond this it wants to be acted on.",
    below: "Whether it is small numbers that are trouble.",
  },
  Line: {
    file: "The file.",
    line: "The line's number.",
    function: "The function that it is in.",
    own: "Whether it is the app's own code.",
    text: "What it says; of the app's own lines only.",
  },
  Machine: {
    cpu_use_ratio: "Processor time used, as a share of what may be used (0 to 1).",
    cpu_limit_cores: "Cores that may be used: the quota, the affinity, or all there are.",
    cpu_throttled_ratio: "Share of the window in which threads waited because the quota was used up.",
    load_1m: "Threads that ran or waited to run or for a disk, averaged over 1 minute.",
    load_5m: "The same over 5 minutes.",
    load_15m: "The same over 15 minutes.",
    memory_use_ratio: "Memory in use, as a share of what may be used (0 to 1).",
    memory_limit_bytes: "Memory that may be used: the limit, or what the machine has.",
    swap_used_bytes: "Swap in use on the machine.",
    disks: "File systems.",
    networks: "Network interfaces.",
  },
  Network: {
    interface: "Its name.",
    receive_bytes_per_second: "Bytes received per second of the window.",
    transmit_bytes_per_second: "Bytes transmitted per second of the window.",
  },
  Operation: {
    count: "How many were completed in the window.",
    rate_per_second: "How many were completed, per second of the window.",
    mean_seconds: "Sum of all durations by their number.",
    min_seconds: "The shortest; at most 1 % off.",
    p50_seconds: "Half took no longer than this; at most 1 % off.",
    p95_seconds: "95 of 100 took no longer than this; at most 1 % off.",
    p99_seconds: "99 of 100 took no longer than this; at most 1 % off.",
    max_seconds: "The longest; at most 1 % off.",
    system: "The database system.",
    operation: "What was done, such as SELECT.",
    collection: "On which table; empty where that is not known.",
    error_count: "Operations that raised an error.",
  },
  Overview: {
    service: "The service's name.",
    level: "The worst level of all alerts: ok, warn, or critical.",
    requests: "All requests.",
    active_requests: "Requests whose response is not complete yet, now.",
    active_websockets: "WebSocket connections that are open, now.",
    busiest: "The endpoints that took most time together.",
    slowest: "The endpoints with the highest 95th percentile.",
    failing: "The endpoints with most failures.",
    queries: "All database operations.",
    pools: "Connection pools.",
    workers: "The living workers.",
    event_loop_lag: "How late event loops ran a timer.",
    alerts: "Whatever is beyond its threshold, worst first.",
    findings: "What was found wrong, with its cure, worst first.",
  },
  Part: {
    name: "What the time was spent on.",
    seconds: "How much time.",
    times: "In how many pieces.",
  },
  Point: {
    at_unix_seconds: "End of the step, as Unix time.",
    seconds: "Length of the step.",
    requests_per_second: "Requests whose response was completed, per second.",
    errors_per_second: "Requests that failed on our side: 5xx and exceptions, per second.",
    error_ratio: "Share of requests that failed on our side: 5xx and exceptions (0 to 1).",
    p50_seconds: "Median of request durations; at most 1 % off.",
    p95_seconds: "95th percentile of request durations; at most 1 % off.",
    p99_seconds: "99th percentile of request durations; at most 1 % off.",
    active_requests: "Requests whose response was not complete at the end of the step.",
    workers: "Living worker processes at the end of the step.",
    queries_per_second: "Database operations per second.",
    query_p95_seconds: "95th percentile of database operations; at most 1 % off.",
    routes: "The busiest routes, at most 200, as 'METHOD template'; ' __overflow__' is all that are not counted apart.",
  },
  Pool: {
    name: "The pool's name.",
    used: "Connections that are taken out now.",
    idle: "Connections that are open and wait in the pool.",
    limit: "Connections that there may be at most, overflow included; none without a limit.",
    size: "Connections that the pool keeps open.",
    overflow: "Connections beyond the pool's size that are open now.",
    use_ratio: "Share of the limit that is in use (0 to 1).",
    pending: "Threads and tasks that wait for a connection now.",
    timeout_count: "Waits in the window that ended without a connection.",
    wait: "Time to get a connection.",
    use: "Time from taking a connection to giving it back.",
    create: "Time to open a new connection.",
  },
  Pools: {
    items: "The pools, by name.",
  },
  Problem: {
    detail: "What was expected, what came, and what to do.",
  },
  Raised: {
    type: "Its class.",
    lines: "The lines that it came through, the innermost first.",
  },
  Report: {
    service: "The service's name.",
    requests: "All requests.",
    endpoints: "All endpoints, those that took most time first.",
    alerts: "Whatever is beyond its threshold, worst first.",
    findings: "What was found wrong, worst first.",
  },
  Requests: {
    count: "How many were completed in the window.",
    rate_per_second: "How many were completed, per second of the window.",
    mean_seconds: "Sum of all durations by their number.",
    min_seconds: "The shortest; at most 1 % off.",
    p50_seconds: "Half took no longer than this; at most 1 % off.",
    p95_seconds: "95 of 100 took no longer than this; at most 1 % off.",
    p99_seconds: "99 of 100 took no longer than this; at most 1 % off.",
    max_seconds: "The longest; at most 1 % off.",
    error_count: "Requests that failed on our side: 5xx, and exceptions in the middle of a response.",
    error_ratio: "Share of requests that failed on our side (0 to 1).",
    disconnect_count: "Requests whose client left before the end.",
  },
  RoutePoint: {
    requests_per_second: "Requests whose response was completed, per second.",
    error_ratio: "Share of requests that failed on our side: 5xx and exceptions (0 to 1).",
    p95_seconds: "95th percentile of request durations; at most 1 % off.",
  },
  SlowQueries: {
    total: "Statements that there are, on all pages.",
    offset: "Statements before the first of this page.",
    items: "Those that took most time together first.",
  },
  SlowQuery: {
    count: "How many were completed in the window.",
    rate_per_second: "How many were completed, per second of the window.",
    mean_seconds: "Sum of all durations by their number.",
    min_seconds: "The shortest; at most 1 % off.",
    p50_seconds: "Half took no longer than this; at most 1 % off.",
    p95_seconds: "95 of 100 took no longer than this; at most 1 % off.",
    p99_seconds: "99 of 100 took no longer than this; at most 1 % off.",
    max_seconds: "The longest; at most 1 % off.",
    fingerprint: "What stands for the statement without its literals.",
    statement: "The statement without its literals; none when it is not kept any more.",
    system: "The database system.",
    routes: "Routes whose requests ran it.",
    call_site: "Where in the app it was run, the last time.",
    last_request_id: "Correlation ID of the request that ran it the last time.",
    last_at_unix_seconds: "When it was slow the last time, as Unix time.",
  },
  Slowest: {
    items: "Those with the highest 95th percentile first.",
  },
  Stall: {
    where: "The line: the innermost of the app's own code.",
    times: "Times that it was seen, by all workers together.",
    longest_seconds: "How long the longest of them was, at least.",
    longest_at_most_seconds: "How long the longest of them was, at most: 100 ms or more.",
    route: "The route of the request that was waited for; empty outside of requests.",
    request_id: "Its correlation ID.",
    worker: "The worker that saw it last.",
    last_at_unix_seconds: "When it was seen last, as Unix time.",
    stack: "Where the loop's thread was, the innermost first.",
  },
  System: {
    workers: "The living workers, by process id.",
    worker_starts: "Workers started in the window.",
    event_loop_lag: "How late event loops ran a timer: what every request of the worker waits.",
    event_loop_stalls: "Times in the window that something blocked an event loop for 100 ms or longer, measured to within 60 ms.",
    stalls: "What blocked event loops, the latest first.",
    queue_time: "Time that requests were under way from the proxy in front.",
    thread_wait: "Time that calls waited for one of AnyIO's threads.",
    garbage_collection: "The garbage collector, by generation.",
    store_bytes: "Shared memory reserved for this service's numbers.",
    own_failures: "Failures of Stethoscope itself in the window; none of them reached the app.",
  },
  ThresholdTable: {
    items: "The thresholds by name.",
  },
  Timeline: {
    items: "One for each 15 seconds, oldest first.",
  },
  Window: {
    name: "The window asked for: 1, 5 or 15 minutes, or all since the beginning or the last reset.",
    seconds: "How long it really is: up to a minute longer than asked for, or shorter after a start.",
    until_unix_seconds: "When it ends, as Unix time.",
    workers: "Process ids of the living workers; ended ones are in the numbers too.",
  },
  Worker: {
    pid: "Its process id; more than that (1-3fa2, say) where a worker in another container has the same.",
    uptime_seconds: "Time since it was started.",
    cpu_ratio: "Processor time, as a share of one core.",
    memory_bytes: "Physical memory (RSS).",
    memory_unique_bytes: "Physical memory that no other process shares (USS).",
    threads: "Threads.",
    open_files: "Open file descriptors.",
    open_files_limit: "File descriptors that may be open.",
    sockets: "Open sockets.",
    tasks: "Tasks of its event loops that are not done.",
    thread_calls: "Calls in AnyIO's threads now, where sync endpoints run.",
    thread_limit: "Calls that may be in AnyIO's threads at once.",
    thread_waiting: "Calls that wait for a thread of AnyIO's.",
    executor_queued: "Calls that wait for a thread of the default executor.",
  },
} as const;
