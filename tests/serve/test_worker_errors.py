"""What a worker answers about errors: a mistake of the client's, a disk that is full, a bug."""

import errno
from pathlib import Path

import pytest
from service_client import noise

from stylenet.device import NoMemoryError
from stylenet.disk import DiskError
from stylenet.errors import UserError
from stylenet.media.picture import Size
from stylenet.models.catalog import StyleReference
from stylenet.serve.work import Failed, Refused, Work
from stylenet.serve.worker import Device, reply_to, style_cache

FULL = "the service's disk is full or cannot be written"


def about(error: Exception, night: Path, monkeypatch: pytest.MonkeyPatch) -> Refused | Failed:
    """The reply where stylizing ends in this error."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("stylenet.serve.worker.restyle", fail)
    style_of = style_cache({"night": StyleReference(night)}, Device("cpu", 0))
    reply = reply_to(Work("night", noise(), Size(), 10**6, 60.0), style_of)
    assert isinstance(reply, (Refused, Failed))
    return reply


@pytest.mark.parametrize(
    "error",
    [
        DiskError("cannot write features to /var/tmp: No space left on device; TMPDIR names another folder"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EROFS, "Read-only file system", "/x"),
    ],
)
def test_a_full_disk_is_503_without_the_services_own_paths(
    night: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    reply = about(error, night, monkeypatch)
    assert isinstance(reply, Failed)
    assert (reply.status, reply.message) == (503, FULL)
    assert str(error) in reply.traceback  # which is logged


def test_too_little_memory_is_503_as_another_time_it_may_do(night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = about(NoMemoryError("the image does not fit"), night, monkeypatch)
    assert isinstance(reply, Failed)
    assert (reply.status, reply.message) == (503, "the image does not fit")


def test_other_errors_are_the_clients_or_bugs(night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert about(UserError("too small"), night, monkeypatch) == Refused(422, "too small")
    bug = about(OSError("truncated"), night, monkeypatch)
    assert isinstance(bug, Failed)
    assert (bug.status, bug.message) == (500, "internal error")


def test_a_clip_that_the_disk_has_no_room_for_is_the_disks_fault() -> None:
    av = pytest.importorskip("av")
    from stylenet.media.video.files import one_line_errors

    with pytest.raises(DiskError, match=r"clip.mp4: No space left on device"), one_line_errors("clip.mp4"):
        av.error.err_check(-errno.ENOSPC)
