"""Settings of the photos to train on."""

from dataclasses import dataclass, field


@dataclass
class PhotoSettings:
    """Photos to train on: the built-in sample, a folder, a zip file, or a data set of the Hugging Face hub."""

    source: str = "sample"  # a key of stylenet.data.opening.SOURCES
    path: str | None = None  # of the folder or file, or name of the hub's data set
    split: str = "train"  # hub only
    column: str = "image"  # hub only: the column with the images
    revision: str | None = None  # hub only: a commit, so that equal runs see equal photos
    streaming: bool = True  # hub only: read while training instead of downloading first
    limit: int | None = None  # at most so many photos
    credits: list[str] = field(default_factory=list)  # sets and licenses, for the style file; the source's own if none
    size: int = 288  # photos are kept at this short side, in pixels
    memory: int | None = None  # bytes for decoded photos on this machine; a quarter of its memory if none is given
