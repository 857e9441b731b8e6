"""The sidecar and an app, sampling the machine ten times as often: ``python -m tests.sidecar.quick sidecar …`` and ``tests.sidecar.quick:app``."""

from __future__ import annotations

import sys
from importlib import import_module
from unittest.mock import patch

from stethoscope.instruments import sampling, vitals

patch.object(vitals, "_MACHINE", 1.0).start()
patch.object(sampling, "SHARE", 1.0).start()  # what a sample costs does not make it rarer

app = import_module("tests.process.app").app


if __name__ == "__main__":
    sys.exit(import_module("stethoscope.cli").main(sys.argv[1:]))
