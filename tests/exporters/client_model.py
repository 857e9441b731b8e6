"""``io.prometheus.client`` as classes of the official protobuf runtime, from field numbers and types alone.

Written down from prometheus/client_model's ``metrics.proto``; that the numbers are right is what
`tests.native` asks a real Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

PACKAGE: Final = "io.prometheus.client"

MESSAGES: Final[Mapping[str, Mapping[str, tuple[int, str]]]] = {
    "Timestamp": {"seconds": (1, "int64"), "nanos": (2, "int32")},
    "LabelPair": {"name": (1, "string"), "value": (2, "string")},
    "Gauge": {"value": (1, "double")},
    "Exemplar": {"label": (1, "*LabelPair"), "value": (2, "double"), "timestamp": (3, "Timestamp")},
    "Counter": {"value": (1, "double"), "exemplar": (2, "Exemplar"), "created_timestamp": (3, "Timestamp")},
    "Quantile": {"quantile": (1, "double"), "value": (2, "double")},
    "Summary": {"sample_count": (1, "uint64"), "sample_sum": (2, "double"), "quantile": (3, "*Quantile")},
    "Untyped": {"value": (1, "double")},
    "Bucket": {"cumulative_count": (1, "uint64"), "upper_bound": (2, "double"), "exemplar": (3, "Exemplar")},
    "BucketSpan": {"offset": (1, "sint32"), "length": (2, "uint32")},
    "Histogram": {
        "sample_count": (1, "uint64"),
        "sample_sum": (2, "double"),
        "bucket": (3, "*Bucket"),
        "schema": (5, "sint32"),
        "zero_threshold": (6, "double"),
        "zero_count": (7, "uint64"),
        "positive_span": (12, "*BucketSpan"),
        "positive_delta": (13, "*sint64"),
        "created_timestamp": (15, "Timestamp"),
    },
    "Metric": {
        "label": (1, "*LabelPair"),
        "gauge": (2, "Gauge"),
        "counter": (3, "Counter"),
        "summary": (4, "Summary"),
        "untyped": (5, "Untyped"),
        "timestamp_ms": (6, "int64"),
        "histogram": (7, "Histogram"),
    },
    "MetricFamily": {"name": (1, "string"), "help": (2, "string"), "type": (3, "int32"), "metric": (4, "*Metric")},
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="client_model.proto", package=PACKAGE, syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            base = kind.removeprefix("*")
            made = message.field.add(name=field, number=number)
            made.label = Field.LABEL_REPEATED if base != kind else Field.LABEL_OPTIONAL
            if base in MESSAGES:
                made.type, made.type_name = Field.TYPE_MESSAGE, f".{PACKAGE}.{base}"
            else:
                made.type = Field.Type.Value(f"TYPE_{base.upper()}")
                if base != kind:
                    made.options.packed = True
    return file


_pool: Final = descriptor_pool.DescriptorPool()
_pool.Add(_file())
MetricFamily: Final[Any] = message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.MetricFamily"))


def families(page: bytes) -> Iterator[Any]:
    """The messages of a delimited stream. Fails on bytes that are left, and on fields that are not known."""
    place = 0
    while place < len(page):
        length, shift = 0, 0
        while True:
            byte = page[place]
            length |= (byte & 0x7F) << shift
            place, shift = place + 1, shift + 7
            if byte < 0x80:
                break
        family = MetricFamily.FromString(page[place : place + length])
        family.DiscardUnknownFields()
        assert family.ByteSize() == length
        place += length
        yield family
