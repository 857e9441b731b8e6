"""Lines of the user's code, found again without a walk."""

from __future__ import annotations

from stethoscope.instruments.database.call_site import Depth, call_site, call_site_near


def one(depth: Depth) -> tuple[str, str]:
    return call_site_near(depth), call_site()


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
