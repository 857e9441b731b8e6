"""What leaves: numbers, traces and errors, in the forms that other systems read.

pages for scrapers: pure functions of a snapshot
  text, openmetrics    the two text formats, and `exposition`, which they have in common
  protobuf             Prometheus' binary format, with native histograms (`native`, `wire`)
  text_to_protobuf     pages of another library in it
  negotiation          which of them a reader wants
  renamed              requests under the names of other projects
  together             several services on one page
  distinct             no series twice

what sends by itself
  exporter             what such an exporter promises
  sending              which there are, and their life in a process
  periodic             the thread that one sends from
  otlp                 metrics over OTLP
  secrets              what of an endpoint belongs into no log

what is told of every request
  tracing              spans for OpenTelemetry
  sentry               errors and transactions for Sentry
  later                either of them, made when the first request comes
  database_errors      what errors of databases say, without the values in it
"""
