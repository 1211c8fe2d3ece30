"""Settings of the photos to train on."""

from dataclasses import dataclass, field


@dataclass
class PhotoSettings:
    """Photos to train on: the built-in sample, a folder, a zip file, or a data set of the Hugging Face hub."""

    source: str = "sample"  # key of stylenet.data.opening.SOURCES, set by data=PRESET
    path: str | None = None  # folder, zip file, or name of a data set on the hub
    split: str = "train"  # hub only: the part of the data set
    column: str = "image"  # hub only: the column with the images
    revision: str | None = None  # hub only: a commit, so that equal runs see equal photos
    streaming: bool = True  # hub only: read while training instead of downloading first
    limit: int | None = None  # use at most so many photos
    credits: list[str] = field(default_factory=list)  # for the model card; default: the source's own
    size: int = 288  # short side in pixels at which photos are kept
    memory: int | None = None  # bytes for decoded photos; default: a quarter of the machine's memory
