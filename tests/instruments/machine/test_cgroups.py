"""Limits of control groups: of made-up trees as the kernel shows them, and of the group that the tests run in."""

from __future__ import annotations

from pathlib import Path

import pytest

from stethoscope.instruments.machine.cgroups import Cgroup, Cpu, Memory

GIBIBYTE = 1 << 30
MOUNTED_2 = "30 23 0:26 {root} {place} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
MOUNTED_1 = "33 31 0:29 {root} {place}/{name} rw,relatime - cgroup cgroup rw,{name}\n"


class Tree:
    """A root of a file system that is made up, a file at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> Tree:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return self

    def version_2(self, own: str, root: str = "/", place: str = "/sys/fs/cgroup") -> Tree:
        self.write("/proc/self/cgroup", f"0::{own}\n")
        return self.write(
            "/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + MOUNTED_2.format(root=root, place=place)
        )

    def version_1(self, own: str, root: str = "/", place: str = "/sys/fs/cgroup") -> Tree:
        names = ("cpu,cpuacct", "memory")
        self.write("/proc/self/cgroup", "".join(f"{at}:{name}:{own}\n" for at, name in enumerate(names, 2)))
        mounts = "".join(MOUNTED_1.format(root=root, place=place, name=name) for name in names)
        return self.write("/proc/self/mountinfo", mounts)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_version_2_in_a_container_of_its_own_namespace(tree: Tree) -> None:
    tree.version_2("/").write("/sys/fs/cgroup/cpu.max", "150000 100000\n")
    tree.write("/sys/fs/cgroup/cpu.stat", "usage_usec 2500000\nuser_usec 1\nnr_throttled 3\nthrottled_usec 500000\n")
    tree.write("/sys/fs/cgroup/memory.max", f"{GIBIBYTE}\n").write("/sys/fs/cgroup/memory.current", "700\n")
    tree.write("/sys/fs/cgroup/memory.stat", "anon 400\ninactive_file 200\n")
    tree.write("/sys/fs/cgroup/memory.events", "low 0\noom 2\noom_kill 1\n")
    group = Cgroup(tree.root)
    assert group.cpu() == Cpu(limit=1.5, used=2.5, throttled=0.5)
    assert group.memory() == Memory(limit=GIBIBYTE, used=500, kills=1)


def test_tightest_limit_of_all_levels_holds_and_use_is_read_where_it_is(tree: Tree) -> None:
    tree.version_2("/shop.slice/web.service")
    for level, quota, limit, used in (
        ("", "max", "max", 900),
        ("/shop.slice", "200000", "4096", 800),
        ("/shop.slice/web.service", "400000", "8192", 700),
    ):
        folder = f"/sys/fs/cgroup{level}"
        tree.write(f"{folder}/cpu.max", f"{quota} 100000\n").write(f"{folder}/cpu.stat", f"usage_usec {used}000000\n")
        tree.write(f"{folder}/memory.max", f"{limit}\n").write(f"{folder}/memory.current", f"{used}\n")
    group = Cgroup(tree.root)
    assert group.cpu() == Cpu(limit=2.0, used=800.0, throttled=None)
    assert group.memory() == Memory(limit=4096, used=800, kills=None)


def test_version_1_in_a_container_without_a_namespace(tree: Tree) -> None:
    """The group has the name that the machine knows it by, and is mounted at the top."""
    tree.version_1("/docker/4f2a", root="/docker/4f2a")
    cpu, memory = "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory"
    tree.write(f"{cpu}/cpu.cfs_quota_us", "50000\n").write(f"{cpu}/cpu.cfs_period_us", "100000\n")
    tree.write(f"{cpu}/cpuacct.usage", "3000000000\n")
    tree.write(f"{cpu}/cpu.stat", "nr_periods 9\nnr_throttled 1\nthrottled_time 250000000\n")
    tree.write(f"{memory}/memory.limit_in_bytes", "1000\n").write(f"{memory}/memory.usage_in_bytes", "900\n")
    tree.write(f"{memory}/memory.stat", "cache 500\ninactive_file 10\ntotal_inactive_file 300\n")
    tree.write(f"{memory}/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n")
    group = Cgroup(tree.root)
    assert group.cpu() == Cpu(limit=0.5, used=3.0, throttled=0.25)
    assert group.memory() == Memory(limit=1000, used=600, kills=4)


def test_no_limit_is_none(tree: Tree) -> None:
    tree.version_1("/").write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n")
    tree.write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    tree.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    group = Cgroup(tree.root)
    assert group.cpu().limit is None
    assert group.memory().limit is None


def test_both_versions_at_once(tree: Tree) -> None:
    """Hybrid: version 2 is mounted too, but controls nothing."""
    tree.version_1("/")
    (tree.root / "sys/fs/cgroup/unified").mkdir(parents=True)
    with (tree.root / "proc/self/mountinfo").open("a") as file:
        file.write(MOUNTED_2.format(root="/", place="/sys/fs/cgroup/unified"))
    with (tree.root / "proc/self/cgroup").open("a") as file:
        file.write("0::/\n")
    tree.write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n")
    tree.write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    assert Cgroup(tree.root).cpu().limit == 3.0


@pytest.mark.parametrize("text", ["", "max", "nonsense 100000", "100000 0", "0 100000", "-1 100000", "1 2 3"])
def test_what_can_not_be_a_quota_is_none(tree: Tree, text: str) -> None:
    tree.version_2("/").write("/sys/fs/cgroup/cpu.max", text)
    assert Cgroup(tree.root).cpu().limit is None


def test_without_control_groups_nothing_is_limited(tree: Tree) -> None:
    assert Cgroup(tree.root).cpu() == Cpu()
    assert Cgroup(tree.root).memory() == Memory()


def test_group_that_leads_out_of_the_hierarchy_is_not_followed(tree: Tree) -> None:
    tree.version_2("/../../etc").write("/sys/fs/cgroup/cpu.max", "100000 100000\n")
    tree.write("/etc/cpu.max", "1 100000\n")
    assert Cgroup(tree.root).cpu().limit == 1.0


@pytest.mark.skipif("cgroup" not in Path("/proc/self/mountinfo").read_text(), reason="no cgroups are mounted here")
def test_group_that_the_tests_run_in_is_read() -> None:
    cpu, memory = Cgroup().cpu(), Cgroup().memory()
    assert cpu.used is None or cpu.used > 0
    assert memory.used is not None
    assert memory.used > 1_000_000  # this interpreter alone
    assert memory.limit is None or memory.limit >= memory.used
