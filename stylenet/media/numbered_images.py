"""Numbered image files, `frames/%04d.png`, as FFmpeg names them."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from stylenet.disk import printable, refusal
from stylenet.errors import UserError
from stylenet.media.video.codecs import SUFFIXES

NUMBER = re.compile(r"%(0\d+)?d")


@dataclass(frozen=True)
class NumberedImages:
    """A name with one `%d` or `%04d` in it, in place of a frame's number."""

    pattern: Path

    @classmethod
    def of(cls, text: str) -> "NumberedImages | None":
        """The sequence that a name means, unless it means a file: with one number in its last part.

        A video's name means a file, as in `50%dark.mp4`.
        """
        path = Path(text)
        if len(NUMBER.findall(path.name)) != 1 or path.suffix.lower() in SUFFIXES or os.path.exists(path):
            return None
        return cls(path)

    def file(self, number: int) -> Path:
        return self.pattern.with_name(NUMBER.sub(lambda match: match[0] % number, self.pattern.name))

    def files(self) -> dict[int, Path]:
        """The files that are there, by their numbers, in order. Raises `UserError` if there are none."""
        found = self.existing()
        if not found:
            raise UserError(f"no file matches {printable(self.pattern)}")
        return found

    def existing(self) -> dict[int, Path]:
        """The files that are there, by their numbers, in order; maybe none."""
        before, after = NUMBER.split(self.pattern.name)[0], NUMBER.split(self.pattern.name)[-1]
        name = re.compile(f"{re.escape(before)}(\\d+){re.escape(after)}")
        folder = Path(os.path.realpath(self.pattern.parent))  # which may lead through one that is yet to be made
        try:
            there = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        except OSError as error:
            raise UserError(refusal(error, folder)) from error
        numbers = sorted(int(match[1]) for file in there if (match := name.fullmatch(file)))
        return {number: file for number in numbers if (file := self.file(number)).name in there}
