"""``stethoscope sidecar``: a process of its own that serves and sends what the services of this host record.

    options      what the user asked for, checked
    watch        the thread that finds services, keeps house for them, and runs their exporters
    own          what the sidecar records of itself
    machine      what it records in place of the services' workers
    application  paths to answers
    server       listening, TLS, and a clean end
    command      all of it, put together

Whatever is served for a service in an app, by `stethoscope.dashboards.endpoints.Endpoints`, is served here
by the same code below ``/services/NAME/``. What sends by itself is an exporter
(`stethoscope.exporters.exporter`), and is run for every service here as in the app: `stethoscope.exporters.sending`.
"""
