"""Labels of our metrics become the attributes that the semantic conventions have."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from opentelemetry.semconv import attributes as stable
from opentelemetry.semconv._incubating import attributes as incubating

from stethoscope.names import METRICS
from stethoscope.names.attributes import attribute


def known() -> dict[str, str]:
    """All attributes of the conventions, by what they are called as a label."""
    modules = [
        import_module(f"{package.__name__}.{found.name}")
        for package in (stable, incubating)
        for found in iter_modules(package.__path__)
    ]
    names = [value for module in modules for key, value in vars(module).items() if key.isupper()]
    return {name.replace(".", "_"): name for name in names if isinstance(name, str) and "." in name}


def test_labels_that_are_attributes_of_the_conventions_have_their_names() -> None:
    conventions = known()
    assert len(conventions) > 500
    labels = {label for metric in METRICS if metric.otel for label in metric.labels}
    assert {label: attribute(label) for label in labels if label in conventions} == {
        label: conventions[label] for label in labels if label in conventions
    }


def test_what_is_scraped_and_what_is_pushed_have_the_same_labels() -> None:
    for metric in METRICS:
        for label in metric.labels:
            assert attribute(label).replace(".", "_") == label
