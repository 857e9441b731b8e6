"""Each file is what its reader takes."""

from __future__ import annotations

import re
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from stethoscope.settings import Settings
from stethoscope.sidecar.options import add_arguments, options
from tests.deploy.files import BIN, DEPLOY, MANIFESTS, UNITS, command_of, documents, environment, pod

_OF_AN_OPERATOR = ("PodMonitor",)
"""Kinds whose schemas come with an operator, not with Kubernetes."""


@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_are_valid_by_the_schemas_of_kubernetes(path: Path, version: str) -> None:
    for document in documents(path):
        if document["kind"] not in _OF_AN_OPERATOR:
            kubernetes_validate.validate(document, version, strict=True)


def test_the_check_of_manifests_finds_a_wrong_field() -> None:
    [deployment] = [found for found in documents(DEPLOY / "kubernetes" / "shop.yaml") if found["kind"] == "Deployment"]
    deployment["spec"]["template"]["spec"]["containers"][0]["prots"] = []
    with pytest.raises(kubernetes_validate.ValidationError, match="prots"):
        kubernetes_validate.validate(deployment, kubernetes_validate.latest_version(), strict=True)


def test_the_pod_monitor_points_at_the_sidecar() -> None:
    [monitor] = documents(DEPLOY / "kubernetes" / "pod-monitor.yaml")
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    [sidecar] = pod()["initContainers"]
    assert endpoint["port"] == sidecar["ports"][0]["name"]
    [token] = [variable for variable in sidecar["env"] if variable["name"] == "STETHOSCOPE_TOKEN"]
    assert endpoint["authorization"]["credentials"] == token["valueFrom"]["secretKeyRef"]


def test_app_and_sidecar_of_the_pod_share_a_folder_below_the_mount() -> None:
    [sidecar], [app] = pod()["initContainers"], pod()["containers"]
    [mount], [volume] = app["volumeMounts"], pod()["volumes"]
    assert sidecar["volumeMounts"] == [mount]
    assert mount["name"] == volume["name"]
    assert volume["emptyDir"]["medium"] == "Memory"
    assert environment(app) == environment(sidecar)
    assert environment(app)["STETHOSCOPE_DIR"].startswith(f"{mount['mountPath']}/")


def test_what_the_files_start_as_a_sidecar_is_accepted() -> None:
    [sidecar] = pod()["initContainers"]
    environ = {**environment(sidecar), "STETHOSCOPE_TOKEN": "given-by-the-secret"}
    accepted = {tuple(sidecar["command"]): environ, tuple(command_of(DEPLOY / "systemd" / "stethoscope.service")): {}}
    for (program, name, *arguments), given in accepted.items():
        assert (program.removeprefix(BIN), name) == ("stethoscope", "sidecar")
        parser = ArgumentParser()
        add_arguments(parser)
        arguments = ["root" if argument == "shop" else argument for argument in arguments]  # a user that is here
        chosen = options(parser.parse_args(arguments), given)
        assert chosen.port == 9464
        assert chosen.places in (("/run/stethoscope/shop",), ("/run/shop/metrics",))


def test_the_settings_of_the_app_s_unit_are_valid() -> None:
    text = (DEPLOY / "systemd" / "shop.service").read_text()
    environ = dict(line.split("=", 1) for line in re.findall("^Environment=(.*)$", text, re.MULTILINE))
    assert Settings.resolve(environ=environ | {"STETHOSCOPE_GROUP": "root"}).dir == "/run/shop/metrics"
    assert set(environ) == {"STETHOSCOPE_SERVICE", "STETHOSCOPE_DIR", "STETHOSCOPE_GROUP"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_are_valid(unit: Path, tmp_path: Path) -> None:
    """The programs are those of the tests' environment, so that they are found."""
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(BIN, f"{sys.prefix}/bin/"))
    ended = verify(copy)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_check_of_units_finds_a_wrong_line(tmp_path: Path) -> None:
    unit = tmp_path / "wrong.service"
    unit.write_text("[Service]\nExecStart=/bin/true\nRestrat=always\n")
    assert re.search("Unknown key.*'Restrat'", verify(unit).stderr)


def verify(unit: Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
