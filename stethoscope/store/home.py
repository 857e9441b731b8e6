"""Where a service's workers find each other: which folder a process records into.

A service that was named explicitly has one folder for each user of a host: all its servers, scripts
and job workers share it. A service that was not named gets a folder of its server: two servers that
happen to have the same title stay apart, and the workers of one server agree on the folder because
they agree on their *root*, the process that the server was started as.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from stethoscope.store.folder import SUPPORTED, Folder, FolderError
from stethoscope.store.lease import offer

logger = logging.getLogger("stethoscope")

_PROC: Final = "/proc"
_SPAWNED: Final = (b"--multiprocessing-fork", b"multiprocessing.forkserver", b"multiprocessing.spawn")
_OF_SERVER: Final = re.compile(r".*@([0-9]{1,9})-([0-9]{1,20})")
_NAME: Final = "service"
_ABANDONED_AFTER: Final = 60.0
"""Seconds without a new file, so that a server whose workers are just being replaced keeps its folder."""
# Fields of /proc/PID/stat, counted from 0.
_START_STACK: Final = 27
_START_TIME: Final = 21
_PARENT: Final = 3


def find_folder(
    service: str, *, shared: bool, directory: str | None = None, group: int | None = None
) -> Callable[[], Folder | None]:
    """A function that opens the folder for this process, trying one place after the other.

    ``shared`` says that the service was named explicitly. ``directory`` replaces the default place; a
    relative one is that of now, wherever the process goes later. Users of ``group`` may read what is in the folder.
    """
    configured = [os.path.abspath(directory)] if directory else []

    def find() -> Folder | None:
        name = safe_name(service) if shared else f"{safe_name(service)}@{root_of(os.getpid())}"
        folder = _first_usable(configured, name, group)
        if folder is not None and safe_name(service) != service:
            _leave_name(folder, service)
        return folder

    return find


def _leave_name(folder: Folder, service: str) -> None:
    """Tell readers the name of a service whose folder could not have that name."""
    with suppress(OSError):
        if _NAME not in folder.names():
            folder.write(_NAME, service.encode(errors="surrogatepass"))


def name_of_service(folder: Folder) -> str:
    """What the service of a folder is called. One that was not named keeps the mark of its server: ``app@1234-567890``."""
    key = os.path.basename(folder.path)
    with suppress(OSError), open(folder.open(_NAME), "rb") as file:
        _, at, server = key.rpartition("@")
        return file.read(1 << 10).decode(errors="replace") + (at + server if at else "")
    return key


def _first_usable(configured: list[str], name: str, group: int | None) -> Folder | None:
    if not SUPPORTED:
        _warn_once(
            "this platform has no file locks that end with their process: each process sees only its own numbers"
        )
        return None
    problems = []
    for place in [*configured, *default_places()]:
        try:
            around = Folder(place)  # verified itself, so that nobody else can swap what is in it
            folder = Folder(os.path.join(place, name))
        except FolderError as error:
            problems.append(str(error))
            continue
        _remove_abandoned(place)
        if group is not None:
            _share(around, folder, group)
        if problems:
            _warn_once(f"recording into {folder.path}, because {'; '.join(problems)}")
        return folder
    _warn_once(f"recording into private memory, unseen by other workers: {'; '.join(problems)}")
    return None


def _share(place: Folder, folder: Folder, group: int) -> None:
    try:
        place.share(group)
        folder.share(group)
        offer(folder)
    except OSError as error:
        _warn_once(f"{folder.path} cannot be shared with group {group}: {error.strerror}; is this user a member of it?")


_warned: set[str] = set()


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        logger.warning(message)


def _remove_abandoned(place: str) -> None:
    """Delete folders of servers that have ended: their root is gone and no worker of theirs lives."""
    names: list[str] = []
    with suppress(OSError):
        names = os.listdir(place)
    for name in names:
        with suppress(OSError):
            if is_abandoned(os.path.join(place, name)):
                Folder(os.path.join(place, name)).remove_if_dead()


def is_abandoned(path: str) -> bool:
    """Whether a folder belongs to a server that has ended, judging by its root and its age. Raises OSError."""
    found = _OF_SERVER.fullmatch(os.path.basename(path))
    return (
        found is not None
        and _started(int(found[1])) != found[2]
        and time.time() - os.stat(path).st_mtime > _ABANDONED_AFTER
    )


def default_places(user: int | None = None) -> Iterator[str]:
    """Where a user's services are when no folder was configured, in the order in which they are tried."""
    name = f"stethoscope-{os.geteuid() if user is None else user}"
    if os.path.isdir("/dev/shm"):
        yield os.path.join("/dev/shm", name)
    if user is None and (runtime := os.environ.get("XDG_RUNTIME_DIR")):
        yield os.path.join(runtime, "stethoscope")
    import tempfile  # seldom needed, and as costly to import as all of the store

    with suppress(FileNotFoundError):  # nowhere can be written to
        yield os.path.join(tempfile.gettempdir(), name)


def safe_name(service: str) -> str:
    """A file name for any service name; distinct for distinct names."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", service)[:80]
    if plain == service and not plain.startswith("."):
        return plain
    from hashlib import sha256  # seldom needed, and costly to import

    return f"_{plain}-{sha256(service.encode(errors='surrogatepass')).hexdigest()[:12]}"


def keys_of(service: str) -> list[str]:
    """The folders' names that `name_of_service` calls this: that of a service of this name, and that of a single server."""
    keys = [safe_name(service)]
    if _OF_SERVER.fullmatch(service):
        name, _, server = service.rpartition("@")
        keys.append(f"{safe_name(name)}@{server}")
    return keys


def root_of(pid: int) -> str:
    """The process that the server of ``pid`` was started as, as ``pid-starttime``.

    Climbs while a process was made from its parent by ``fork`` without ``exec`` or by
    multiprocessing: that is how uvicorn, gunicorn, hypercorn and granian make workers. A process
    started any other way is a root of its own. Where /proc cannot tell, the process itself.
    """
    while parent := _parent_it_works_for(pid):
        pid = parent
    return f"{pid}-{_started(pid)}"


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot: with its number, a name that is not used twice."""
    fields = _stat(pid)
    return fields[_START_TIME] if fields else "0"


def _parent_it_works_for(pid: int) -> int:
    own = _stat(pid)
    if not own:
        return 0
    parent = int(own[_PARENT])
    theirs = _stat(parent)
    if not theirs:
        return 0
    # The address of the stack is random since exec, and inherited by fork. Zero: another user's.
    hidden = theirs[_START_STACK] == "0"
    forked = own[_START_STACK] == theirs[_START_STACK] and not hidden
    return parent if forked or _is_multiprocessing(pid) or (hidden and _is_gunicorn_worker(pid)) else 0


def _is_multiprocessing(pid: int) -> bool:
    return any(mark in _read(f"{_PROC}/{pid}/cmdline") for mark in _SPAWNED)


def _is_gunicorn_worker(pid: int) -> bool:
    # Only for a worker that runs as another user than its arbiter, whose addresses it may not see.
    return pid == os.getpid() and os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn/")


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat (proc(5)), from 0; empty when there is no such process."""
    text = _read(f"{_PROC}/{pid}/stat").decode("utf-8", "replace")
    before, separator, after = text.rpartition(")")
    return [before, "", *after.split()] if separator else []


def _read(path: str) -> bytes:
    with suppress(OSError), open(path, "rb") as file:
        return file.read(1 << 16)
    return b""
