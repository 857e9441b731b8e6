from __future__ import annotations

import subprocess
import sys


def run(script: str, **env: str) -> str:
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=env)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


BEGINNING = """
import importlib.util, sys
from stethoscope.instruments.prometheus_client import adopt, foreign
from stethoscope.store.recorder import Recorder
recorder = Recorder("test", lambda: None)
adopt(recorder)
"""


class TestImport:
    def test_the_library_is_not_imported_for_it(self) -> None:
        script = BEGINNING + 'print(foreign(recorder.snapshot(), False), "prometheus_client" in sys.modules)'
        assert run(script) == "b'' False\n"

    def test_the_library_is_adopted_when_the_app_imports_it_later(self) -> None:
        script = (
            BEGINNING
            + """
finders = len(sys.meta_path)
assert importlib.util.find_spec("prometheus_client") is not None  # a look is no import
from prometheus_client.metrics import Counter
Counter("sold", "Sold.").inc(2)
assert len(sys.meta_path) == finders - 1
print(recorder.snapshot().families["sold"].series[0].value)
"""
        )
        assert run(script) == "2.0\n"

    def test_an_app_without_the_library_can_go_on_looking_for_it(self) -> None:
        script = (
            """
import sys
sys.modules["prometheus_client"] = None  # as if it was not installed
"""
            + BEGINNING
            + """
try:
    import prometheus_client
except ModuleNotFoundError:
    print(foreign(recorder.snapshot(), False))
"""
        )
        assert run(script) == "b''\n"

    def test_its_own_multi_process_mode_is_respected(self, tmp_path: object) -> None:
        script = (
            BEGINNING
            + """
from prometheus_client import Counter, Info, REGISTRY
Counter("sold", "Sold.").inc(2)
Info("build", "Build.").info({"version": "7"})
page = foreign(recorder.snapshot(), False).decode()
assert "sold" not in recorder.snapshot().families
print([line for line in page.splitlines() if line.startswith(("sold", "build"))])
"""
        )
        for total in ("2.0", "4.0"):  # a second process adds to what the first has left
            expected = f"""['sold_total {total}', 'build_info{{version="7"}} 1.0']\n"""
            assert run(script, PROMETHEUS_MULTIPROC_DIR=str(tmp_path)) == expected


class TestFork:
    def test_a_child_that_adopts_it_carries_nothing_of_its_parents(self) -> None:
        """A16: as with a server that imports the app before it forks, and a layer that is made in each worker."""
        script = """
import os
import stethoscope
from prometheus_client import Counter
sold = Counter("sold", "Sold.")
sold.inc(10)
if child := os.fork():
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
from stethoscope.instruments.prometheus_client import adopt
from stethoscope.store.recorder import Recorder
recorder = Recorder("test", lambda: None)
adopt(recorder)
sold.inc()
print(recorder.snapshot().families["sold"].series[0].value, flush=True)
"""
        assert run(script) == "1.0\n"

    def test_a_child_that_imports_it_has_all_that_it_counts(self) -> None:
        script = """
import os
import stethoscope
if child := os.fork():
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
from prometheus_client import Counter
sold = Counter("sold", "Sold.")
sold.inc(10)
from stethoscope.instruments.prometheus_client import adopt
from stethoscope.store.recorder import Recorder
recorder = Recorder("test", lambda: None)
adopt(recorder)
print(recorder.snapshot().families["sold"].series[0].value, flush=True)
"""
        assert run(script) == "10.0\n"
