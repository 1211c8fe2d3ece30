"""Jobs: their way, their limits, and what is kept of them."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from service_client import client, noise, save_tiny, stopped, wait_for
from starlette.testclient import TestClient

import stylenet.serve.clips
from stylenet.errors import UserError
from stylenet.inference.stylizer import Stylizer
from stylenet.media.limits import TooManyPixelsError
from stylenet.media.picture import OWN_SIZE, Size
from stylenet.serve.clips import check_frame, stylize_upload
from stylenet.serve.pool import PoolClosed
from stylenet.serve.service import Service
from stylenet.serve.settings import Limits
from stylenet.serve.work import Work

URL = "/v1/jobs?style=night"
Post = Callable[..., Any]


def done(service: TestClient, url: str) -> dict[str, Any]:
    """The job once it is done or has failed."""
    wait_for(lambda: service.get(url).json()["state"] in ("done", "failed"))
    found: dict[str, Any] = service.get(url).json()
    return found


def test_a_job_is_queued_done_and_fetched(service: TestClient) -> None:
    answer = service.post(URL, content=noise(), headers={"content-type": "image/png"})
    assert answer.status_code == 202
    job = done(service, answer.headers["location"])
    assert (job["state"], job["type"], job["width"], job["height"]) == ("done", "image/png", 40, 24)
    result = service.get(job["result"])
    assert result.content == service.post("/v1/stylize?style=night", content=noise()).content
    assert (result.headers["content-type"], len(result.content)) == ("image/png", job["bytes"])
    heads = [service.head(url) for url in (answer.headers["location"], job["result"])]
    assert [(head.status_code, head.content) for head in heads] == [(200, b""), (200, b"")]
    assert heads[1].headers["content-length"] == str(job["bytes"])


def test_a_form_works_for_jobs_too(service: TestClient) -> None:
    answer = service.post("/v1/jobs", files={"image": noise()}, data={"style": "night", "format": "jpg"})
    assert done(service, answer.headers["location"])["type"] == "image/jpeg"


def test_a_job_that_fails_says_why_and_answers_with_the_status_of_its_failure(service: TestClient) -> None:
    url = service.post(URL, content=b"no image").headers["location"]
    job = done(service, url)
    assert (job["state"], job["error"][:16]) == ("failed", "the image is not")
    assert service.get(f"{url}/result").status_code == 415
    assert not list(service.app.state.service.jobs.folder.path.glob("*/upload"))


def test_what_is_wrong_with_a_job_from_the_start_makes_none(service: TestClient) -> None:
    before = len(service.app.state.service.jobs.jobs)
    assert service.post("/v1/jobs?style=dawn", content=noise()).status_code == 404
    assert service.post(f"{URL}&strength=9", content=noise()).status_code == 422
    assert service.post(URL, content=b"").status_code == 422
    assert service.get("/v1/jobs/unknown").status_code == service.get("/v1/jobs/unknown/result").status_code == 404
    assert len(service.app.state.service.jobs.jobs) == before


def test_a_result_is_409_while_the_job_is_not_done(service: TestClient) -> None:
    parts: Service = service.app.state.service
    with stopped(parts):
        url = service.post(URL, content=noise()).headers["location"]
        wait_for(lambda: service.get(url).json()["state"] == "running")
        answer = service.get(f"{url}/result")
        assert (answer.status_code, answer.json()["detail"]) == (409, "the job is running")
        assert service.delete(url).status_code == 409
        waiting = service.post(URL, content=noise()).headers["location"]
        assert service.get(waiting).json()["state"] == "queued"
        assert service.delete(waiting).status_code == 204
    assert done(service, url)["state"] == "done"
    assert service.delete(url).status_code == 204
    assert service.get(url).status_code == 404
    assert not (parts.jobs.folder.path / f"job-{url.rpartition('/')[2]}").exists()


def test_a_clip_is_a_job(service: TestClient, tmp_path: Path) -> None:
    pytest.importorskip("av")
    from clips import make_clip, pictures

    clip = make_clip(tmp_path / "clip.mp4", times=range(0, 96, 24), sound=False)
    url = service.post(URL, content=clip.read_bytes(), headers={"content-type": "video/mp4"}).headers["location"]
    job = done(service, url)
    assert (job["state"], job["type"], job["width"], job["height"]) == ("done", "video/mp4", 64, 48), job
    (tmp_path / "result.mp4").write_bytes(service.get(job["result"]).content)
    assert len(pictures(tmp_path / "result.mp4")) == 4
    folder = service.app.state.service.jobs.folder.job(url.rpartition("/")[2])
    assert [file.name for file in folder.iterdir()] == ["result.mp4"]


CLIP = b"\0\0\0\x18ftypisom" + bytes(400)


@pytest.mark.parametrize(
    ("files", "fields"),
    [
        ({"mask": noise()}, {}),
        ({}, {"mask_invert": "true"}),
        ({}, {"format": "png"}),
        ({}, {"quality": "50"}),
    ],
)
def test_an_option_without_effect_on_a_clip_is_422_and_makes_no_job(
    service: TestClient, files: dict[str, bytes], fields: dict[str, str]
) -> None:
    before = len(service.app.state.service.jobs.jobs)
    answer = service.post(URL, files={"image": CLIP, **files}, data=fields)
    (name,) = {**files, **fields}
    assert (answer.status_code, answer.json()["detail"].partition(":")[0]) == (422, name), answer.text
    assert len(service.app.state.service.jobs.jobs) == before


def test_a_style_file_that_was_changed_since_the_start_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("av")
    from clips import make_clip

    clip = make_clip(tmp_path / "clip.mp4", times=range(0, 96, 24), sound=False).read_bytes()
    style = save_tiny(tmp_path / "night.safetensors")
    with client(styles=(str(style),)) as found:
        style.write_bytes(b"no style")
        jobs = [found.post(URL, content=content).headers["location"] for content in (noise(), clip)]
        assert [done(found, url)["state"] for url in jobs] == ["done", "done"]


def test_the_frames_of_a_clip_count_together(night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av")
    from clips import make_clip

    upload = make_clip(tmp_path / "clip.mp4", times=range(0, 96, 24), sound=False).rename(tmp_path / "upload")
    work = Work("night", upload, OWN_SIZE, 64 * 48, 60.0, target=tmp_path / "result")  # 4 frames of 64 x 48
    monkeypatch.setattr(stylenet.serve.clips, "FRAMES", 3)
    with pytest.raises(TooManyPixelsError, match=r"the clip: the frames together have more .* limit of 9,216"):
        stylize_upload(work, Stylizer.load(night, "cpu"))
    (tmp_path / "upload.mp4").unlink()
    monkeypatch.setattr(stylenet.serve.clips, "FRAMES", 4)
    assert stylize_upload(work, Stylizer.load(night, "cpu")).width == 64


@pytest.mark.parametrize(
    ("size", "frame", "error"),
    [
        (Size(), (4000, 2250), None),
        (Size(), (4000, 2300), TooManyPixelsError),
        (Size(long=1000), (6000, 5900), None),
        (Size(long=1000), (6100, 6000), TooManyPixelsError),
        (Size(short=100), (0, 0), UserError),
    ],
)
def test_frames_of_clips_have_a_limit_of_their_own(
    size: Size, frame: tuple[int, int], error: type[Exception] | None
) -> None:
    work = Work("night", b"", size, pixels=200_000_000, seconds=900.0)
    with pytest.raises(error) if error else nullcontext():
        check_frame(work, *frame)


def test_a_frame_of_a_clip_that_is_too_large_is_413(night: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    from clips import make_clip

    clip = make_clip(tmp_path / "clip.mp4", times=range(0, 96, 24), sound=False).read_bytes()
    with client(styles=(str(night),), job=Limits(10**6, 64 * 48, 60.0)) as found:
        url = found.post(f"{URL}&size=480", content=clip).headers["location"]
        assert done(found, url)["state"] == "failed"
        assert found.get(f"{url}/result").status_code == 413


def test_a_clip_that_is_damaged_fails_without_the_services_own_paths(service: TestClient) -> None:
    pytest.importorskip("av")
    url = service.post(URL, content=CLIP).headers["location"]
    job = done(service, url)
    assert (job["state"], service.get(f"{url}/result").status_code) == ("failed", 422), job
    assert job["error"].startswith("the clip"), job
    assert "/" not in job["error"]


def test_jobs_end_where_disk_and_number_do(night: Path, tmp_path: Path) -> None:
    size = len(noise())
    limits = {"job": Limits(2 * size, 10**6, 60.0), "results_bytes": 4 * size, "jobs": 2, "results": tmp_path}
    with client(styles=(str(night),), **limits) as found:
        jobs = found.app.state.service.jobs
        assert found.post(URL, content=bytes(2 * size + 1)).status_code == 413
        assert found.post(URL, content=iter([noise()] * 3)).status_code == 413
        urls = []
        for _ in range(5):
            urls.append(found.post(URL, content=noise()).headers["location"])
            assert done(found, urls[-1])["state"] == "done"
            assert jobs.disk <= 4 * size
            assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) == jobs.disk
        assert [found.get(url).status_code for url in (urls[0], urls[-1])] == [404, 200]  # the oldest has gone
        with stopped(found.app.state.service):
            assert [found.post(URL, content=noise()).status_code for _ in range(3)] == [202, 202, 429]
    assert [file.name for file in tmp_path.rglob("*")] == ["stylenet-jobs", ".stylenet-serve.lock"]


def test_an_upload_that_does_not_come_costs_no_result(night: Path) -> None:
    size = len(noise())
    limits = {"job": Limits(2 * size, 10**6, 60.0), "results_bytes": 3 * size}
    with client(styles=(str(night),), **limits) as found:
        url = found.post(URL, content=noise()).headers["location"]
        assert done(found, url)["state"] == "done"
        jobs = found.app.state.service.jobs
        jobs.open(2 * size)  # of which no byte arrives
        assert found.post(URL, content=iter([noise()])).status_code == 503  # as 2 * size may come
        assert found.post("/v1/jobs?style=dawn", content=noise()).status_code == 404
        assert (found.get(url).status_code, jobs.disk) == (200, size_of(found, url))
        assert found.post(URL, content=noise()).status_code == 202
        wait_for(lambda: jobs.active == 1)
        assert jobs.reserved == 2 * size


def size_of(service: TestClient, url: str) -> int:
    return int(service.get(url).json()["bytes"])


def test_a_form_that_arrives_has_its_place_among_the_jobs(night: Path) -> None:
    with client(styles=(str(night),), jobs=1) as found:
        jobs, head = found.app.state.service.jobs, {"content-type": "multipart/form-data; boundary=x"}
        part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        seen = []

        def slow() -> Iterator[bytes]:
            yield part + noise()
            seen.append((jobs.active, jobs.full))
            yield b"\r\n--x--\r\n"

        assert found.post(URL, content=slow(), headers=head).status_code == 202
        assert seen == [(1, True)]


def test_a_form_that_the_disk_has_no_room_for_is_503_and_makes_no_job(
    service: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = len(service.app.state.service.jobs.jobs)
    monkeypatch.setattr("starlette.datastructures.UploadFile.write", full)
    for url in (URL, "/v1/stylize?style=night"):
        answer = service.post(url, files={"image": noise()})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        assert answer.json()["detail"] == "the upload cannot be stored: No space left on device"
    assert len(service.app.state.service.jobs.jobs) == before


def test_a_mask_has_a_limit_of_its_own(service: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylenet.serve.requests.MASK_BYTES", 500)
    for url in (URL, "/v1/stylize?style=night"):
        answer = service.post(url, files={"image": noise(), "mask": bytes(501)})
        assert (answer.status_code, answer.json()["detail"]) == (
            413,
            "the mask has 501 bytes, more than the limit of 500",
        )


def test_results_expire(night: Path) -> None:
    with client(styles=(str(night),), results_seconds=0.5) as found:
        url = found.post(URL, content=noise()).headers["location"]
        wait_for(lambda: found.get(url).status_code == 404)
        assert not list(found.app.state.service.jobs.folder.path.iterdir())


def test_a_late_job_is_stopped(night: Path) -> None:
    with client(styles=(str(night),), job=Limits(10**6, 10**6, 0.5)) as found, stopped(found.app.state.service):
        process = found.app.state.service.pool.workers[0].process  # another one takes its place
        url = found.post(URL, content=noise()).headers["location"]
        assert done(found, url)["error"] == "took more than 0.5 seconds"
        assert found.get(f"{url}/result").status_code == 504
        assert [file.name for file in found.app.state.service.jobs.folder.path.iterdir() if file.is_dir()] == []
        process.join(60)
        assert process.exitcode is not None


def test_a_job_or_an_image_that_the_end_of_the_service_overtakes_may_be_sent_again(night: Path) -> None:
    with client(styles=(str(night),)) as found:
        pool = found.app.state.service.pool
        pool.submit = closed
        for url in (URL, "/v1/stylize?style=night"):
            answer = found.post(url, content=noise())
            assert (answer.status_code, answer.json()["detail"]) == (503, "the service is ending")
            assert answer.headers["retry-after"] == "2"


def closed(*_: object, **__: object) -> None:
    raise PoolClosed
