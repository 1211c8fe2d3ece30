"""Jobs: pairs of a source and a target, and the shards of a list of them."""

import os
from dataclasses import dataclass
from pathlib import Path

from stylenet.disk import printable
from stylenet.errors import UserError
from stylenet.media.formats import Format
from stylenet.media.numbered_images import NumberedImages

# In a job, by identity: a file may have such a name too.
STANDARD_INPUT, STANDARD_OUTPUT = Path("standard input"), Path("standard output")


@dataclass(frozen=True)
class Job:
    """An image or clip to stylize and the file to write: `STANDARD_INPUT` and `STANDARD_OUTPUT` are files too.

    Without a format it is the image's own, or PNG if that cannot be written. `is_clip` says that frames go one after
    the other from or into a video file or a numbered sequence.
    """

    source: Path
    target: Path
    format: Format | None = None
    is_clip: bool = False

    def is_done(self) -> bool:
        """Whether the result is there; results are never there partially. A sequence is done with its last file."""
        if self.target is STANDARD_OUTPUT:
            return False
        source, target = NumberedImages.of(os.fspath(self.source)), self.sequence
        if target is None:
            return os.path.exists(self.target)
        numbers = source.existing() if source is not None else {}
        return bool(numbers) and all(target.file(number).exists() for number in numbers)

    def is_beside(self) -> bool:
        """Whether the result is written into the folder of the source."""
        return os.path.realpath(self.source.parent) == os.path.realpath(self.target.parent)

    @property
    def sequence(self) -> NumberedImages | None:
        """The sequence to write, if the target is one; an image `50%dark.png` is a file."""
        return NumberedImages.of(os.fspath(self.target)) if self.is_clip else None


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count` of a list of jobs, from 1 on: what one task of an array job does."""

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> "Shard":
        """Reads `3/16`. Raises `UserError` for anything but 1/N to N/N."""
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise UserError(f"a shard is K/N, from 1/N to N/N as in 3/16, got {printable(text)}")
        return cls(int(number), int(count))

    def of(self, jobs: list[Job]) -> list[Job]:
        """Every `count`-th job: the shards are disjoint, together all jobs, and of equal size but for one."""
        return jobs[self.number - 1 :: self.count]
