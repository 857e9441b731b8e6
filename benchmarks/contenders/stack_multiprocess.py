"""The stack as a server with several workers must run it: prometheus_client's multiprocess mode.

prometheus_client chooses its storage when it is imported, hence the variable before the import.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

directory = tempfile.mkdtemp(prefix="bench-prometheus-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
atexit.register(shutil.rmtree, directory, ignore_errors=True)

from benchmarks.contenders.stack import wrap  # noqa: E402  (storage is chosen at import)

__all__ = ["wrap"]
