"""Every metric that Stethoscope emits: the tables that exposition, docs, dashboards, rules and tests read.

A table an area. Names follow the OpenTelemetry semantic conventions (v1.37) in their official Prometheus
translation; what the conventions have no name for is ``stethoscope_…``.
"""

from __future__ import annotations

from stethoscope.names.database import *
from stethoscope.names.database_server import *
from stethoscope.names.exports import *
from stethoscope.names.http import *
from stethoscope.names.machine import *
from stethoscope.names.metric import *
from stethoscope.names.metric import Metric
from stethoscope.names.notes import *
from stethoscope.names.own import *
from stethoscope.names.runtime import *

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All metrics of the package, in the order of the tables."""
