"""The proxy's configuration, run by nginx in front of a real server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.files import DEPLOY
from tests.servers import HOST, Server, free_port, serve
from tests.sidecar.running import until

TOKEN = "token-of-the-tests-1234567890"

MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/shop.conf;
}}
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "STETHOSCOPE_DIR": str(tmp_path_factory.mktemp("segments")),
        "STETHOSCOPE_TOKEN": TOKEN,
        "STETHOSCOPE_METRICS_PATH": "/metrics",
    }
    with serve("uvicorn", "tests.apps.starlette_app:app", env=settings) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(app: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    folder.chmod(0o755)
    text = (DEPLOY / "nginx" / "shop.conf").read_text()
    (folder / "shop.conf").write_text(
        text.replace("127.0.0.1:8000", f"{HOST}:{app.port}").replace("listen 80;", f"listen {HOST}:{port};")
    )
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    with (folder / "output").open("w+b") as output:
        process = subprocess.Popen([nginx(), "-c", str(folder / "nginx.conf")], stdout=output, stderr=output)
        try:
            until(lambda: answers(f"http://{HOST}:{port}"), (folder / "output").read_text)
            yield f"http://{HOST}:{port}"
        finally:
            process.terminate()
            process.wait()


def nginx() -> str:
    """Debian keeps it where not everybody's PATH leads."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert found, "nginx is not installed; `make test` as root installs it"
    return found


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code != 502
    except httpx.TransportError:
        return False


def test_the_configuration_is_valid_as_it_is(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "nginx" / "shop.conf", tmp_path)
    (tmp_path / "nginx.conf").write_text(MAIN.format(folder=tmp_path))
    check = subprocess.run([nginx(), "-t", "-c", str(tmp_path / "nginx.conf")], capture_output=True, check=False)
    assert check.returncode == 0, check.stderr


@pytest.mark.parametrize("path", ["/_stethoscope/metrics", "/metrics", "/metrics/", "/%6detrics", "//metrics"])
def test_our_endpoints_stay_inside(proxy: str, app: Server, path: str) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert httpx.get(proxy + path, headers=bearer).status_code == 404
    assert httpx.get(app.url + "/metrics", headers=bearer).status_code == 200


def test_app_and_proxy_have_one_id_and_server_timing_stays_inside(proxy: str, app: Server) -> None:
    inside, outside = httpx.get(app.url), httpx.get(proxy)
    assert len(outside.headers["x-request-id"]) == 32, "nginx's request IDs are 32 hexadecimal digits"
    assert "server-timing" in inside.headers
    assert "server-timing" not in outside.headers
