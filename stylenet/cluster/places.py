"""Folders on shared disks or object stores, as one thing: listing, reading, writing whole files."""

import os
import posixpath
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from stylenet.disk import atomic_write, check_folder, printable
from stylenet.errors import UserError

PROTOCOL = "://"
LOCAL = ("file", "local")  # fsspec's names of this machine's disks


@dataclass(frozen=True)
class Place:
    """A folder by its path or its fsspec URL, such as `s3://bucket/photos`. Travels to workers by pickling.

    A relative path is seen from `folder`, as workers have other working directories.
    """

    text: str
    folder: str = field(default_factory=os.getcwd)

    @property
    def is_url(self) -> bool:
        """Whether fsspec opens it; a path is opened as any other file."""
        return PROTOCOL in self.text

    @property
    def root(self) -> str:
        """The folder as its file system names it."""
        return str(self.opened()[1]) if self.is_url else os.path.abspath(os.path.join(self.folder, self.text))

    @property
    def normalized(self) -> tuple[str, PurePath]:
        """Protocol and folder in one spelling, to compare places by. Raises `UserError` as `opened`."""
        kinds = self.opened()[0].protocol if self.is_url else LOCAL
        kind = kinds if isinstance(kinds, str) else kinds[0]
        if kind in LOCAL:
            return LOCAL[0], Path(os.path.realpath(self.root))
        return kind, PurePosixPath(posixpath.normpath(self.root))

    def check_writable(self) -> None:
        """Raises `UserError` where nothing can be written in; of a URL, where its driver is missing."""
        if self.is_url:
            self.opened()
        else:
            check_folder(Path(self.text))

    def opened(self) -> tuple[Any, str]:
        """Fsspec's file system of a URL, with its host and account, and the folder as that names it.

        Raises `UserError` for an unknown protocol, host or driver.
        """
        from fsspec.core import url_to_fs

        try:
            found: tuple[Any, str] = url_to_fs(self.text)
        except (ImportError, ValueError, TypeError, OSError) as error:
            raise UserError(f"{printable(self.text)}: {' '.join(str(error).split())}") from error
        return found

    def exists(self) -> bool:
        """Whether the folder of a URL is there. Raises `UserError` as `opened`."""
        filesystem, root = self.opened()
        return bool(filesystem.exists(root))

    def files(self) -> list[str]:
        """All files in it, by their path below it, in the order of their names. Raises `UserError` if it is missing."""
        filesystem, root = self.opened()
        try:
            found = filesystem.find(root)
        except OSError as error:
            raise UserError(f"{printable(self.text)} cannot be listed: {' '.join(str(error).split())}") from error
        return sorted(posixpath.relpath(name, root) for name in found)

    def read(self, name: str) -> bytes:
        """The file of this name below it."""
        if not self.is_url:
            return Path(self.root, name).read_bytes()
        filesystem, root = self.opened()
        data: bytes = filesystem.cat_file(posixpath.join(root, name))
        return data

    def write(self, name: str, data: bytes) -> None:
        """Writes a file of which no reader ever sees a part: on local and network disks, and in object stores."""
        if not self.is_url or self.normalized[0] in LOCAL:
            with atomic_write(Path(self.root, name)) as temporary:
                temporary.write_bytes(data)
            return
        filesystem, root = self.opened()
        target = posixpath.join(root, name)
        filesystem.makedirs(posixpath.dirname(target), exist_ok=True)
        filesystem.pipe_file(target, data)  # object stores show an object once all of it is there
