"""Write the golden files anew: ``python -m tests.golden.update``. Read the difference before it is committed."""

from __future__ import annotations

from tests.golden.pages import PAGES, path, rendered


def update() -> None:
    for name in PAGES:
        path(name).write_bytes(rendered(name))


if __name__ == "__main__":
    update()
