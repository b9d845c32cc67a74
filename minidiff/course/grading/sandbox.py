"""What a student's code may not do while it is graded. What it tries all the same is refused, and told.

Python's audit hooks cannot be taken back, and see every file, process and connection that Python code opens; the limits
are the system's own. Compiled code goes past the hooks. Where the system lets us make namespaces, the process has no
network, no sight of other processes, empty folders in place of the tests, and may write in its own folder only.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

STARTS = (
    "subprocess.Popen",
    "os.fork",
    "os.forkpty",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "pty.spawn",
)
NETWORK = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
           "socket.gethostbyname", "urllib.Request")  # fmt: skip
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.link", "os.symlink",
           "os.truncate", "os.utime", "shutil.rmtree", "shutil.move", "os.setxattr")  # fmt: skip
DEEP = ("ctypes.dlopen", "ctypes.dlsym", "ctypes.dlsym/handle", "ctypes.call_function", "ctypes.string_at",
        "ctypes.cdata", "os.kill", "os.killpg", "gc.get_objects", "gc.get_referrers")  # fmt: skip
PAIRS = ("os.rename", "os.link", "os.symlink", "shutil.move")  # events of two paths
TOLD = {
    **dict.fromkeys(STARTS, "start another program"),
    **dict.fromkeys(NETWORK, "use the network"),
    **dict.fromkeys(DEEP, "reach below Python"),
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FILE = 100_000_000  # bytes of a file that may be written, what is printed included


def limit(memory: float, seconds: float) -> None:
    """Set the system's limits: gigabytes of memory, seconds of the processor, FILE bytes a file, no core dump."""
    for kind, most in (
        (resource.RLIMIT_AS, int(memory * 1e9)),
        (resource.RLIMIT_CPU, int(4 * seconds) + 10),
        (resource.RLIMIT_FSIZE, FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "--kill-child")
MOUNTS = """set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro /
shift
while [ "$1" != -- ]; do mount -t tmpfs -o size=4k,ro none "$1"; shift; done
shift
cd "$PWD"
exec "$@"
"""  # the folder may be written, the rest of its file system not; the secret folders are empty


def alone(folder: str, secret: list[str]) -> tuple[str, ...]:
    """The words before a command that leave it alone; none where the system refuses.

    Without network, without sight of other processes; it can write into this folder only, and finds the secret ones
    empty.
    """
    words = (*NAMESPACES, "sh", "-c", MOUNTS, "sh", folder, *(one for one in secret if os.path.isdir(one)), "--")
    return words if _allowed() else ()


@cache
def _allowed() -> bool:
    if not shutil.which(NAMESPACES[0]):
        return False
    with tempfile.TemporaryDirectory() as folder:
        words = (*NAMESPACES, "sh", "-c", MOUNTS, "sh", folder, "--", "true")
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=20).returncode == 0


class Guard:
    """From `close` on, refuses what no answer needs, and remembers it."""

    def __init__(self, folder: Path, readable: list[str], secret: list[str]):
        """folder: the only one in which files may be changed.
        readable: folders that may be read, besides this Python and its libraries.
        secret: folders within those that may not.
        """
        self.refused: list[str] = []
        self.folder = [os.path.realpath(folder)]
        python = (os.path.dirname(os.devnull), sys.prefix, sys.base_prefix, *sys.path)
        self.readable = [os.path.realpath(one) for one in (str(folder), *readable, *python)]
        self.secret = [os.path.realpath(one) for one in secret]

    def close(self) -> None:
        """Begin; there is no way back."""
        sys.addaudithook(self._hook)

    def _hook(self, event: str, given: tuple) -> None:
        if event in TOLD:
            self._refuse(TOLD[event])
        if event == "open" or event in CHANGES:
            writes = event != "open" or _writes(*given[1:])
            paths: list[Any] = [path for path in given[: 1 + (event in PAIRS)] if not isinstance(path, int)]
            for path in paths:
                self._look(os.path.realpath(os.fsdecode(path)), writes)

    def _look(self, path: str, writes: bool) -> None:
        if _beneath(path, self.secret):
            self._refuse("read the tests")
        if writes and path != os.devnull and not _beneath(path, self.folder):
            self._refuse(f"change files outside of its folder, such as {path}")
        if not _beneath(path, self.readable) and os.path.exists(path):  # what is not there tells nothing
            self._refuse(f"read files outside of its folder, such as {path}")

    def _refuse(self, what: str) -> None:
        self.refused.append(what)
        raise PermissionError(f"an assignment may not {what} while it is graded")


def _beneath(path: str, roots: list[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


def _writes(mode: str | None, flags: int | None) -> bool:
    return bool(set(mode or "") & set("wax+")) or bool((flags or 0) & WRITING)
