"""Pushing a service's metrics over OTLP: once per interval for all of its workers, from a thread of its own.

It is on if the environment asks for it, with the variables of the OpenTelemetry specification (`configuration`). `push`
decides what to send, `translation` makes it from a snapshot, `transport` sends it through the official exporters, and
`telling` logs what became of it.
Only the one process that sends imports the official packages, when it first does.
"""
