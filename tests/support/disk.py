"""A disk that forgets what was not synced, and processes that are killed while they write.

Here: each operation of the product on files is seen on its way to the operating system. `Disk` keeps what is durable
at each of them and gives all states in which a power cut may leave the files; `kill_at` kills the process at one.
Not here: what must hold afterwards.

The rules of the disk are the weakest that POSIX allows: bytes survive if their file was synced after they were
written, a name that is new, replaced or removed if its folder was synced after that. Whatever was not synced may
survive or not, each name and each file by itself, in any order; appended bytes also in part, or as zeros.
"""

import itertools
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

Node = bytes | dict[str, int]
"""Content of a file, or the names in a folder."""
Tree = dict[str, bytes | None]
"""Content by path; None is a folder."""
OPERATIONS = ("fsync", "fdatasync", "replace", "rename", "unlink", "remove", "mkdir", "rmdir", "link", "truncate")
MOST = 1 << 12
"""States of one moment; more mean that something is never synced, or a test that does too much at once."""


Around = Callable[[str, tuple, Callable[[], None]], None]
"""Is given an operation's name, its arguments and what does it."""


def watch(around: Around) -> dict[str, Callable]:
    """Have every operation of this process go through `around`; returns what did it before."""
    real = {name: getattr(os, name) for name in OPERATIONS}

    def through(name):
        def operate(*given, **named):
            done = []
            around(name, given, lambda: done.append(real[name](*given, **named)))
            return done[0]

        return operate

    for name in OPERATIONS:
        setattr(os, name, through(name))
    return real


@contextmanager
def watching(around: Around) -> Iterator[None]:
    """The same for a while."""
    real = watch(around)
    try:
        yield
    finally:
        for name, operation in real.items():
            setattr(os, name, operation)


@dataclass(frozen=True)
class Moment:
    """What is there and what is durable at one moment; `told` is what the product had acknowledged.

    `gone` holds files that have no name any more, and may have one again.
    """

    told: tuple
    top: int
    live: dict[int, Node]
    durable: dict[int, Node]
    gone: dict[int, bytes]

    def states(self) -> Iterator[Tree]:
        """Every state in which a power cut may leave the files, a kill among them."""
        options = {(kind, key): found for kind, key, found in self._open()}
        count = 1
        for found in options.values():
            count *= len(found)
        assert count <= MOST, f"{count} states: {sorted(map(str, options))}"
        for chosen in itertools.product(*options.values()):
            yield self._tree(self.top, dict(zip(options, chosen, strict=True)), "")

    def _open(self) -> Iterator[tuple[str, object, list]]:
        """What is undecided: names of folders, contents of files."""
        for number, node in self.live.items():
            if isinstance(node, dict):
                safe = self._names(number)
                for name in sorted(node.keys() | safe.keys()):
                    if node.get(name) != safe.get(name):
                        yield "name", (number, name), [safe.get(name), node.get(name)]
        for number, node in (self.live | self.gone).items():
            if isinstance(node, bytes) and node != (safe := self.durable.get(number, b"")):
                yield "file", number, _partly(safe, node)

    def _names(self, number: int) -> dict[str, int]:
        node = self.durable.get(number, {})
        assert isinstance(node, dict)
        return node

    def _tree(self, number: int, chosen: dict, path: str) -> Tree:
        node = self.live[number] if number in self.live else self.gone[number]
        if isinstance(node, bytes):
            return {path: chosen.get(("file", number), node)}
        names = node | self._names(number)
        found: Tree = {path: None} if path else {}
        for name in names:
            below = chosen.get(("name", (number, name)), names[name])
            if below is not None:
                found |= self._tree(below, chosen, f"{path}/{name}".lstrip("/"))
        return found


def _partly(safe: bytes, whole: bytes) -> list[bytes]:
    """What may be left of a file: what was synced, all, and what lies between."""
    if whole.startswith(safe):
        more = whole[len(safe) :]
        return [safe, safe + more[: len(more) // 2], safe + bytes(len(more)), whole]
    return [safe, b"", whole[: len(whole) // 2], bytes(len(whole)), whole]


class Disk:
    """The files below a folder, and what of them is durable.

    All that stands there at the beginning is. Locks are left out: they hold nothing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.told: tuple = ()
        self.moments: list[Moment] = []
        self._lock = threading.RLock()
        self._held = ExitStack()
        self._known = self._durable = self._scan()

    @contextmanager
    def watched(self) -> Iterator["Disk"]:
        """Remember each moment of what is done meanwhile."""
        with self._held, watching(self._around):
            yield self
            self.moment()

    def acknowledge(self, what: object) -> None:
        """Note what the product has just said is done: it must be there from now on."""
        with self._lock:
            self.told = (*self.told, what)
            self.moment()

    def moment(self) -> Moment:
        """Remember this moment."""
        with self._lock:
            live = self._scan()
            self._known = self._known | live
            named = {number for node in self._durable.values() if isinstance(node, dict) for number in node.values()}
            gone = {number: self._known[number] for number in named - live.keys()}
            found = Moment(self.told, self.folder.stat().st_ino, live, dict(self._durable), gone)
            if not self.moments or self.moments[-1] != found:
                self.moments.append(found)
            return found

    def states(self) -> Iterator[tuple[tuple, Tree]]:
        """Every state in which a cut at any moment may leave the files, each once, with what had been acknowledged."""
        seen = set()
        for moment in self.moments:
            for tree in moment.states():
                key = (moment.told, frozenset(tree.items()))
                if key not in seen:
                    seen.add(key)
                    yield moment.told, tree

    def _around(self, name: str, given: tuple, operate: Callable[[], None]) -> None:
        with self._lock:
            before = self.moment()
            self._hold(name, given)
            operate()
            if name in ("fsync", "fdatasync"):
                number = os.fstat(given[0]).st_ino
                if number in before.live:
                    self._durable[number] = before.live[number]
            self.moment()

    def _hold(self, name: str, given: tuple) -> None:
        """Keep a file open that loses its name: its number is given to no other while it may come back."""
        if name in ("replace", "rename", "unlink", "remove"):
            path = Path(given[1] if name in ("replace", "rename") else given[0])
            if path.is_file() and path.is_relative_to(self.folder):
                self._held.enter_context(path.open("rb"))

    def _scan(self) -> dict[int, Node]:
        found: dict[int, Node] = {}
        waiting = [self.folder]
        while waiting:
            folder = waiting.pop()
            names: dict[str, int] = {}
            for path in folder.iterdir():
                status = path.lstat()
                if path.suffix == ".lock":
                    continue
                names[path.name] = status.st_ino
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(path)
                else:
                    found[status.st_ino] = path.read_bytes()
            found[folder.stat().st_ino] = names
        return found


def lay_out(tree: Tree, folder: Path) -> Path:
    """Write a state to an empty folder."""
    folder.mkdir(parents=True)
    for name, content in sorted(tree.items()):
        path = folder / name
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


STEPS = ("staged", "synced", "renamed", "folder_synced", "listed")
"""Moments of the commit protocol at which a process can be killed."""


def kill_at(step: str) -> None:
    """Have this process killed at a step of its first commit; a real SIGKILL, so nothing is cleaned up."""
    renamed = False

    def around(name, given, operate):
        nonlocal renamed
        path = str(Path(f"/proc/self/fd/{given[0]}").readlink()) if name == "fsync" else str(given[0])
        staged = "/.staging/" in path
        here = {
            "staged": name == "fsync" and staged,
            "synced": name == "fsync" and staged,
            "renamed": name == "replace" and staged,
            "folder_synced": name == "fsync" and renamed,
            "listed": name == "fsync" and path.endswith("manifest.jsonl"),
        }[step]
        if not (here and step == "staged"):
            operate()
        if here:
            os.kill(os.getpid(), signal.SIGKILL)
        renamed = renamed or (name == "replace" and staged)

    watch(around)
