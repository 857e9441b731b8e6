"""What else is measured besides requests. Every instrument is a caller of a recorder.

metrics of the user's own
  metrics            `Counter`, `Gauge`, `Histogram`
  timer, monitor     operations and queries, timed by name
  prometheus_client  what the app registered there

databases
  database           what any database work has in common, and what is wrong with it
  sqlalchemy         SQLAlchemy's engines
  watch              naming an engine

workers and the machine
  vitals             chooses from the next three, by the settings
  runtime            event loops, threads, garbage collection
  machine            processes, the machine, its control groups
  sampling           taking samples at a price that is kept
"""
