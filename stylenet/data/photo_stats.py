"""The photos of a set, used, skipped or converted: counted by kind, with the first few names of each."""

import threading
from collections.abc import Iterable, Iterator

from stylenet.disk import printable


class PhotoStats:
    """Counts that threads may share."""

    def __init__(self) -> None:
        self.used = 0
        self._skipped: dict[str, list[str]] = {}
        self._converted: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def use(self, name: str, changes: Iterable[str]) -> None:
        with self._lock:
            self.used += 1
            for kind in changes:
                self._converted.setdefault(kind, []).append(name)

    def skip(self, name: str, kind: str) -> None:
        with self._lock:
            self._skipped.setdefault(kind, []).append(name)

    @property
    def skipped(self) -> int:
        return sum(map(len, self._skipped.values()))

    def report(self, waiting: int = 0) -> list[str]:
        """Lines for people: the numbers, then one for each kind. `waiting` photos were never asked for."""
        with self._lock:
            head = f"photos: {self.used:,} used, {self.skipped:,} skipped"
            head += f", {waiting:,} never asked for" if waiting > 0 else ""
            return [head, *_lines("skipped", self._skipped), *_lines("converted", self._converted)]

    def causes(self) -> str:
        """Summarizes why nothing could be used: `3 files: 2 not an image, 1 empty; first: a.jpg`."""
        counts = ", ".join(f"{len(names):,} {kind}" for kind, names in _by_number(self._skipped))
        names = [name for kind in self._skipped.values() for name in kind]
        return f"{len(names):,} files: {counts}; first: {printable(min(names))}" if names else "0 files"


def _by_number(kinds: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    return sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))


def _lines(what: str, kinds: dict[str, list[str]]) -> Iterator[str]:
    for kind, names in _by_number(kinds):
        few = ", ".join(map(printable, sorted(names)[:3])) + (", …" if len(names) > 3 else "")
        yield f"  {what}, {kind}: {len(names):,} ({few})"
