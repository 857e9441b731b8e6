"""The documents say what is so.

The rule for code in ``README.md`` and ``docs/**/*.md``, by the language that a fence names:

- ``python`` is run, each block in an interpreter of its own, in an empty folder, with warnings as errors.
  A block whose first line is the name of a file (``# app.py``) is that file: it is imported, not run as a
  program, and the other blocks of its page find it under that name.
- ``json`` is parsed; what is a configuration of ``logging`` is applied.
- ``yaml`` that is a configuration of Prometheus is given to ``promtool``.
- ``console`` in the page on servers: each server there is started as written, on a free port.
- Anything else is only shown.
"""
