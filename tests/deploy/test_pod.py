"""What the manifest of the pod says, done with processes: two containers' commands and variables on one shared folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.deploy.files import environment, pod
from tests.process.conftest import place
from tests.process.scrapes import answers, request
from tests.scrape import AUTHORIZED, TOKEN, total
from tests.servers import HOST, Server, free_port
from tests.sidecar.running import program, running, sidecar, until

__all__ = ["place"]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


@needs_root
def test_app_and_sidecar_of_the_pod_find_each_other_below_a_mount_that_is_not_theirs(place: Path) -> None:
    """An emptyDir of a pod with an fsGroup belongs to root and that group, and everybody may write to it."""
    context, [app], [beside] = pod()["securityContext"], pod()["containers"], pod()["initContainers"]
    [mount] = app["volumeMounts"]
    user = (context["runAsUser"], context["fsGroup"])
    os.chown(place, 0, context["fsGroup"])
    place.chmod(0o2777)
    env = {name: value.replace(mount["mountPath"], str(place)) for name, value in environment(app).items()}
    env["STETHOSCOPE_TOKEN"] = TOKEN
    port = free_port()
    command = [*program(user), "uvicorn", "tests.process.app:app", "--host", HOST, "--port", str(port)]
    arguments = beside["command"][2:]
    assert arguments == ["--listen", ":9464"]
    with sidecar(env=env, user=user) as watcher, running(command, env) as (process, output):
        server = Server("uvicorn", port, process, output)
        until(lambda: answers(server), server.log)
        request(server)
        until(
            lambda: total(watcher.scrape(**AUTHORIZED), "http_server_request_duration_seconds_count") == 2, watcher.log
        )
        assert watcher.get("/readyz").status == 200
        until(lambda: (place / "shop" / "shop" / "housekeeping.sidecar.lock").exists(), watcher.log)
