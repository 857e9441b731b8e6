"""Check that everything a user installs with us may be used as freely as our own MIT licence says.

Walks the installed runtime dependencies (extras included, test tools not) from the package's
metadata, and fails on a licence that is not known to be permissive: add it here after reading it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PERMISSIVE = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0", "Python-2.0"}

# Trove classifiers, for packages that do not state an SPDX expression (PEP 639) yet.
PERMISSIVE_CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License",
    "License :: OSI Approved :: BSD License",
    "License :: OSI Approved :: ISC License (ISCL)",
    "License :: OSI Approved :: MIT License",
    "License :: OSI Approved :: Python Software Foundation License",
}

# Free text, for packages that state nothing else.
PERMISSIVE_TEXTS = {"3-Clause BSD License", "BSD-3-Clause", "MIT"}

EXCEPTIONS = {
    "certifi": "MPL-2.0: a list of certificates that Sentry's and OpenTelemetry's own packages need; we neither change nor ship it",
}


def stated(package: Distribution, field: str) -> list[str]:
    """The values of one metadata field."""
    return package.metadata.get_all(field) or []


def permissive(package: Distribution) -> bool:
    """Whether each licence named is permissive, or excepted with a reason; nothing named is not."""
    if package.name in EXCEPTIONS:
        return True
    if expressions := stated(package, "License-Expression"):
        names = re.findall(r"[\w.+-]+", " ".join(expressions))
        return all(name in PERMISSIVE for name in names if name not in {"AND", "OR"})
    named = [classifier for classifier in stated(package, "Classifier") if classifier.startswith("License :: ")]
    if not named:
        return any(text in PERMISSIVE_TEXTS for text in stated(package, "License"))
    return all(classifier in PERMISSIVE_CLASSIFIERS for classifier in named)


def runtime(name: str, extras: frozenset[str], seen: set[str]) -> Iterator[Distribution]:
    """The installed package and, once each, everything it needs when it runs."""
    if canonicalize_name(name) in seen:
        return
    seen.add(canonicalize_name(name))
    package = distribution(name)
    yield package
    for line in package.requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield from runtime(requirement.name, frozenset(requirement.extras), seen)


def main() -> int:
    extras = frozenset(stated(distribution("stethoscope"), "Provides-Extra"))
    try:
        packages = list(runtime("stethoscope", extras, set()))
    except PackageNotFoundError as missing:
        print(f"Not installed, so that its licence is unknown: {missing.name}", file=sys.stderr)
        return 1
    refused = [package for package in packages if not permissive(package)]
    for package in refused:
        licence = stated(package, "License-Expression") or stated(package, "License")
        print(f"Licence not known to be permissive: {package.name} {licence}", file=sys.stderr)
    if not refused:
        print(f"Licences of {len(packages)} runtime packages: permissive")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
