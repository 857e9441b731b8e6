"""The folder in which the segments of one service live, and what may be trusted in it.

The folder is ours alone (mode 0700, our user), or readable by a group too (mode 2750), so that nobody
else can put anything there. All files are opened relative to the folder's descriptor, without following
links, and checked after opening.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from stethoscope.store.layout import VERSION, Role
from stethoscope.store.segment import ADDRESS_SPACE, Segment, mapped

SUPPORTED: Final = sys.platform != "win32"
"""Whether this platform has file locks that end with their process, which liveness rests on."""

if sys.platform != "win32":
    import fcntl

    _OPEN: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
else:
    _OPEN: Final = 0

SUFFIX: Final = f".v{VERSION}.segment"
_UNFINISHED: Final = ".unfinished"
_LOCK: Final = ".lock"
_PRIVATE: Final = 0o600
_SHARED: Final = 0o640
_SHARED_FOLDER: Final = 0o2750
"""With the bit that gives new files the folder's group."""
_NOT_OURS: Final = (errno.ELOOP, errno.ENXIO, errno.EACCES, errno.EPERM)
"""How opening a symbolic link, a socket, or a file without our rights fails."""


NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)
"""How writing fails on a full disk, or at the end of a quota."""


class FolderError(OSError):
    """A folder cannot be used; the text says which one and why."""


class Claim:
    """A segment file that this process writes, alive to all readers until `release` or the process's end.

    Forked children inherit the lock and must `release` it, or the parent would outlive itself.
    """

    __slots__ = ("_data", "_folder", "_lock", "_user", "name", "segment")

    def __init__(self, folder: Folder, name: str, segment: Segment, lock: int, data: int) -> None:
        self.segment = segment
        self._folder = folder
        self.name = name
        self._lock = lock
        self._data = data
        self._user = os.geteuid()

    @property
    def published(self) -> bool:
        """Whether readers find the file: False once someone has emptied the folder, or this process is another user's."""
        with suppress(OSError):  # released meanwhile
            return os.fstat(self._data).st_nlink > 0 and os.geteuid() == self._user
        return False

    def release(self) -> None:
        """Let go of the lock: to readers the writer has ended. Any number of times."""
        self.segment.seal()
        descriptors, self._lock, self._data = (self._lock, self._data), -1, -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)

    def withdraw(self) -> None:
        """Delete the file, then let go."""
        if self.published:
            self._folder.remove(self.name)
        self.release()


class Folder:
    """An opened, verified folder. Safe in any thread and after a fork."""

    def __init__(self, path: str) -> None:
        """Make the folder if it is missing, and verify it. Raises `FolderError`."""
        self.path = path
        self._descriptor = -1
        self._descriptor = _open_private_folder(path)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def create_segment(self, successor_of: Segment | None = None, role: Role = Role.WORKER) -> Claim:
        """Publish a new segment, or a copy to go on with. Raises OSError: no room, no rights, folder gone.

        The file gets its name only when it is locked and complete, so that no reader ever sees a
        living worker's segment unlocked.
        """
        name = os.urandom(8).hex()
        lock = self._open(name + _UNFINISHED, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        data = -1
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Opened a second time: mmap keeps a duplicate of its descriptor, which in a forked child
            # would hold on to the lock after `release`.
            data = self._open(name + _UNFINISHED, os.O_RDWR)
            os.ftruncate(data, ADDRESS_SPACE)
            segment = Segment(mapped(data), lambda start, stop: reserve(data, start, stop), role, successor_of)
            self._publish(data, name + _UNFINISHED, name + SUFFIX)
        except BaseException:
            os.close(lock)
            if data >= 0:
                os.close(data)
            self.remove(name + _UNFINISHED)
            raise
        return Claim(self, name + SUFFIX, segment, lock, data)

    def create_locked(self, suffix: str, data: bytes) -> tuple[str, int]:
        """Make a file that begins with ``data``; returns its name and a descriptor to write it by, alive until that is closed.

        As with a segment, it gets its name when it is locked. Raises OSError.
        """
        name = os.urandom(8).hex()
        descriptor = self._open(name + _UNFINISHED, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, data)
            self._publish(descriptor, name + _UNFINISHED, name + suffix)
        except BaseException:
            os.close(descriptor)
            self.remove(name + _UNFINISHED)
            raise
        return name + suffix, descriptor

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place, whole or not at all. Raises OSError."""
        unfinished = os.urandom(8).hex() + _UNFINISHED
        try:
            with open(self._open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
                file.write(data)
                file.flush()
                self._publish(file.fileno(), unfinished, name)
        except BaseException:
            self.remove(unfinished)
            raise

    def open(self, name: str) -> int:
        """A descriptor for reading. Raises FileNotFoundError, `FolderError` for what is no file of ours alone, other OSErrors."""
        try:
            descriptor = self._open(name, os.O_RDONLY)
        except OSError as error:
            if error.errno in _NOT_OURS:
                raise self._not_ours(name) from error
            raise
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != self.owner or status.st_nlink > 1:
            os.close(descriptor)
            raise self._not_ours(name)
        return descriptor

    def open_lock(self, name: str) -> int:
        """A descriptor of a lock file, made if it is missing. Raises OSError."""
        descriptor = self._open(name + _LOCK, os.O_RDWR | os.O_CREAT)
        self._show_to_group(descriptor)
        return descriptor

    @property
    def owner(self) -> int:
        """The user whose files are trusted."""
        return os.geteuid()

    @property
    def writable(self) -> bool:
        """Whether this process may change what is in it."""
        return True

    @property
    def identity(self) -> str:
        """What distinguishes it from every other folder of this machine, wherever it is mounted."""
        status = os.fstat(self._descriptor)
        return f"{status.st_dev}-{status.st_ino}"

    @property
    def exists(self) -> bool:
        """Whether it is still where it was: False once someone has deleted it."""
        return os.fstat(self._descriptor).st_nlink > 0

    def share(self, group: int) -> None:
        """Let ``group`` read the folder, what is in it, and what will be. Raises OSError: this user is no member, say."""
        status = os.fstat(self._descriptor)
        if (status.st_gid, stat.S_IMODE(status.st_mode)) == (group, _SHARED_FOLDER):
            return
        os.fchown(self._descriptor, -1, group)  # before the mode, of which it clears bits
        os.fchmod(self._descriptor, _SHARED_FOLDER)
        for name in self.names():
            with suppress(OSError):  # gone by now, or a folder of its own
                descriptor = self.open(name)
                try:
                    os.fchown(descriptor, -1, group)
                    os.fchmod(descriptor, _SHARED)
                finally:
                    os.close(descriptor)

    def _not_ours(self, name: str) -> FolderError:
        return FolderError(f"{self.path}/{name} is not a file that belongs to user {self.owner} alone; it was not read")

    def names(self) -> list[str]:
        # Listing moves a place in the opened folder, which threads share, and a forked child too: two at once would each
        # see some of the names. So each opens it for itself.
        try:
            descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._descriptor)
        except PermissionError:  # this process has become another user
            return os.listdir(self._descriptor)
        try:
            return os.listdir(descriptor)
        finally:
            os.close(descriptor)

    def has(self, name: str) -> bool:
        """Needs no descriptor."""
        try:
            os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except OSError:
            return False
        return True

    def shorten(self, name: str, size: int) -> None:
        """Give back the room that a file has beyond ``size`` bytes. Only for files that nobody writes any more, and nobody maps beyond."""
        with suppress(OSError):
            descriptor = self._open(name, os.O_WRONLY)
            try:
                if os.fstat(descriptor).st_size > size:
                    os.ftruncate(descriptor, size)
            finally:
                os.close(descriptor)

    def remove(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(name, dir_fd=self._descriptor)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[bool]:
        """Hold the lock ``name`` if nobody else does; yields whether we hold it. Never waits."""
        try:
            lock = self.open_lock(name)
        except OSError:
            yield False
            return
        mine = try_lock(lock)
        try:
            yield mine
        finally:
            if mine:
                unlock(lock)
            os.close(lock)

    def remove_unfinished(self) -> None:
        """Remove what writers that died in the middle have left. Only for the holder of the folder's lock."""
        for name in self.names():
            if name.endswith(_UNFINISHED):
                with suppress(OSError):
                    self._remove_unless_locked(name)

    def remove_if_dead(self) -> None:
        """Delete the folder and all in it, unless a segment's writer lives. Raises OSError."""
        for name in self.names():
            descriptor = self.open(name)
            try:
                # A sidecar that holds a lock here must not keep the folder forever.
                if not name.endswith(_LOCK) and writer_holds(descriptor):
                    return
            finally:
                os.close(descriptor)
        for name in self.names():
            self.remove(name)
        os.rmdir(self.path)

    def _remove_unless_locked(self, name: str) -> None:
        descriptor = self.open(name)
        try:
            # A writer locks at once after creating. The age covers the instants between the two, in which
            # not even asking for the lock is allowed: the writer would not get it.
            if _age(descriptor) > 60 and not writer_holds(descriptor):
                self.remove(name)
        finally:
            os.close(descriptor)

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags | _OPEN, _PRIVATE, dir_fd=self._descriptor)

    def _publish(self, descriptor: int, old: str, new: str) -> None:
        """Give a file that is complete, and locked where it is to be, its name. Before, nobody else can open it."""
        self._show_to_group(descriptor)
        os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def _show_to_group(self, descriptor: int) -> None:
        if stat.S_IMODE(os.fstat(self._descriptor).st_mode) == _SHARED_FOLDER:
            os.fchmod(descriptor, _SHARED)


class SharedFolder(Folder):
    """Another user's folder, for reading. What its owner has put there is trusted; nothing in it is ever changed."""

    def __init__(self, path: str, owner: int) -> None:
        """Raises FileNotFoundError; `FolderError` when it is not ``owner``'s, or others can write to it."""
        self.path = path
        self._owner = owner
        self._descriptor = -1
        try:
            self._descriptor = _open_folder_of(owner, path)
        except (FileNotFoundError, FolderError):
            raise
        except OSError as error:
            raise FolderError(f"{path} cannot be opened: {error.strerror}") from error

    @property
    def owner(self) -> int:
        return self._owner

    @property
    def writable(self) -> bool:
        return False

    def open_lock(self, name: str) -> int:
        """Raises FileNotFoundError as long as no worker has made the file: a lock needs no right to write, making one does."""
        return self.open(name + _LOCK)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[bool]:
        """Whoever asks is about to write."""
        yield False

    def shorten(self, name: str, size: int) -> None:
        return

    def remove(self, name: str) -> None:
        return

    def _open(self, name: str, flags: int) -> int:
        if flags & os.O_CREAT:
            raise FolderError(f"{self.path} is read for user {self.owner}, and nothing is written to it")
        return super()._open(name, flags)


def writer_holds(descriptor: int) -> bool:
    """Whether somebody has locked a file, as the writer of a segment has for as long as it lives.

    Any number may ask at once. A writer that has died stays dead: nobody locks a segment that is not their own. Where asking
    fails (no locks on this file system, say) the answer is yes: what is taken for dead is folded and deleted.
    """
    if not try_lock(descriptor, shared=True):
        return True
    unlock(descriptor)
    return False


def segment_is_written(folder: Folder, name: str) -> bool:
    """Whether a file of a folder is a segment whose writer lives. No where it cannot be opened: it is gone, or not to be trusted."""
    if not name.endswith(SUFFIX):
        return False
    with suppress(OSError):
        descriptor = folder.open(name)
        try:
            return writer_holds(descriptor)
        finally:
            os.close(descriptor)
    return False


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock a file if nobody else has; returns whether we hold it now: not after an error either. Never waits."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Let go of a lock. Closing is not enough: a child forked meanwhile has the descriptor too, and with it the lock."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def reserve(descriptor: int, start: int, stop: int) -> None:
    """Give the file's bytes ``[start, stop)`` real pages. Raises OSError when there is no room."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, start, stop - start)
    else:  # macOS
        os.pwrite(descriptor, bytes(stop - start), start)


def _age(descriptor: int) -> float:
    return time.time() - os.fstat(descriptor).st_mtime


def _open_private_folder(path: str) -> int:
    try:
        os.makedirs(path, 0o700, exist_ok=True)
        return _open_folder_of(os.geteuid(), path)
    except FolderError:
        raise
    except OSError as error:
        raise FolderError(f"{path} cannot be made or opened: {error.strerror}") from error


def _open_folder_of(owner: int, path: str) -> int:
    """Raises `FolderError` when others than ``owner`` can put something into the folder; OSError when it cannot be opened."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
    status = os.fstat(descriptor)
    if status.st_uid != owner or status.st_mode & 0o022:
        os.close(descriptor)
        raise FolderError(
            f"{path} must belong to user {owner} and be writable by nobody else, "
            f"but belongs to user {status.st_uid} with mode {stat.S_IMODE(status.st_mode):04o}"
        )
    return descriptor
