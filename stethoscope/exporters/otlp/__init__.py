"""Pushing a service's metrics over OTLP: once per interval for all of its workers, from a thread of its own.

On where the environment asks for it, with the variables of the OpenTelemetry specification; see
`stethoscope.exporters.otlp.configuration`. What is sent is made of a snapshot in `translation`, sent by the
official exporters in `transport`, and decided in `push`. The official packages are imported by the one
process that sends, when it first does.
"""
