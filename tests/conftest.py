"""What holds for every test: settings of whoever runs the tests do not reach them."""

from __future__ import annotations

import os

for name in [key for key in os.environ if key.startswith(("STETHOSCOPE_", "OTEL_"))]:
    del os.environ[name]
