"""Lines of the user's code, found again without a walk."""

from __future__ import annotations

import os
import sys
from typing import Any

from jinja2 import Environment

from stethoscope.frames import stack
from stethoscope.instruments.database.call_site import Depth, call_site, call_site_near


def one(depth: Depth) -> tuple[str, str]:
    return call_site_near(depth), call_site()


def test_line_in_a_template_is_that_of_the_template() -> None:
    """Jinja runs Python code that it has made of one, with lines of its own."""
    seen: list[str] = []
    library = os.path.join(os.sep, "site-packages", "sqlalchemy", "loading.py")
    text = "def load(items): seen.extend([near(Depth()), site(), str(stack(sys._getframe(1), 1)[0])])"
    loading: dict[str, Any] = {
        "sys": sys,
        "seen": seen,
        "stack": stack,
        "site": call_site,
        "near": call_site_near,
        "Depth": Depth,
    }
    exec(compile(text, library, "exec"), loading)
    environment = Environment()
    environment.filters["load"] = loading["load"]
    lines = ["<ul>"] * 30 + ["{{ items | load }}"] + ["</ul>"] * 5
    name = os.path.join(os.getcwd(), "templates", "orders.html")
    code = environment.compile("\n".join(lines), name="orders.html", filename=name)
    environment.template_class.from_code(environment, code, {}).render()
    assert len(seen) == 3
    assert all("orders.html:31 in root" in place for place in seen), seen


def other(depth: Depth) -> tuple[str, str]:
    return call_site_near(depth), call_site()


def test_depth_that_was_another_functions_is_found_out() -> None:
    depth = Depth()
    for _ in range(2):
        for function in (one, other, one):
            near, walked = function(depth)
            assert near == walked
            assert near.endswith(f" in {function.__name__}")


def test_each_line_of_a_function_is_told_although_only_the_function_is_remembered() -> None:
    depth = Depth()
    first = call_site_near(depth)
    second = call_site_near(depth)
    assert int(second.partition(" in ")[0].rpartition(":")[2]) == int(first.partition(" in ")[0].rpartition(":")[2]) + 1


def test_a_stack_that_is_lower_than_last_time_is_walked() -> None:
    depth = Depth()
    depth.frames, depth.code = 10_000, None
    assert "test_a_stack_that_is_lower_than_last_time_is_walked" in call_site_near(depth)
