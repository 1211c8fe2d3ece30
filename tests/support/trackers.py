"""What the trackers kept of a run: the names of its metrics and images."""

import csv
from pathlib import Path

OWN = {"step", "epoch", "trainer/global_step", "timestamp", ""}  # a tracker's own columns, and Lightning's epoch


def names_in_csv(run_folder: Path) -> set[str]:
    with (run_folder / "metrics.csv").open() as file:
        names = set(next(csv.reader(file)))
    return (names | ({"sheet"} if list(run_folder.glob("sheets/*.jpg")) else set())) - OWN


def names_in_tensorboard(run_folder: Path) -> set[str]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run_folder / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    return (set(tags["scalars"]) | set(tags["images"])) - OWN


def names_in_wandb(run_folder: Path) -> set[str]:
    """Reads the log of an offline run: blocks of 32 KiB with records of LevelDB's kind, each a protocol buffer."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = run_folder.glob("wandb/offline-run-*/*.wandb")
    names: set[str] = set()
    for data in _records(path.read_bytes()):
        record = Record.FromString(data)  # type: ignore[attr-defined]
        names |= {item.key or item.nested_key[0] for item in record.history.item}  # an image has several below its name
    return names - OWN - {name for name in names if name.startswith("_")}


def names_in_trackio(project: str) -> set[str]:
    """Reads the one run of a project in `TRACKIO_DIR`."""
    import trackio
    from trackio.sqlite_storage import SQLiteStorage

    (run,) = trackio.Api().runs(project)
    return {name for row in SQLiteStorage.get_logs(project, run.name) for name in row} - OWN


def _records(data: bytes) -> list[bytes]:
    records, part, position = [], b"", 7  # after the file's own header
    while position + 7 <= len(data):
        if 32768 - position % 32768 < 7:
            position += 32768 - position % 32768
            continue
        length, kind = int.from_bytes(data[position + 4 : position + 6], "little"), data[position + 6]
        part += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            records.append(part)
            part = b""
    return records
