"""What the service says of itself."""

import json

import pytest
from service_client import noise, wait_for
from starlette.testclient import TestClient


def test_styles_are_listed_with_their_paintings(service: TestClient) -> None:
    expected = {"name": "night", "title": "The Night", "artist": "A. Painter", "width": 2, "blocks": 1}
    assert service.get("/v1/styles").json() == [expected]


def test_metrics_answer_without_a_redirect(service: TestClient) -> None:
    service.post("/v1/stylize?style=night", content=noise())
    service.post("/v1/stylize?style=dawn", content=noise())
    answer = service.get("/metrics", follow_redirects=False)
    assert (answer.status_code, answer.headers["content-type"][:10]) == (200, "text/plain")
    lines = answer.text.splitlines()
    for start in (
        'stylenet_requests_total{endpoint="/v1/stylize",status="200"} ',
        'stylenet_requests_total{endpoint="/v1/stylize",status="404"} ',
        'stylenet_request_seconds_count{endpoint="/v1/stylize"} ',
        'stylenet_network_seconds_total{style="night"} ',
        'stylenet_images_total{style="night"} ',
        'stylenet_worker_memory_bytes{worker="0"} ',
        "stylenet_queue_length 0.0",
        "stylenet_workers 1.0",
        "stylenet_worker_restarts_total ",
    ):
        found = [line for line in lines if line.startswith(start)]
        assert len(found) == 1, start
        assert not found[0].endswith("} 0.0")
    assert "_created" not in answer.text


def test_jobs_are_counted_as_images_are(service: TestClient) -> None:
    def images() -> float:
        lines = service.get("/metrics").text.splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith("stylenet_images_total{"))

    before = images()
    service.post("/v1/stylize?style=night", content=noise())
    for content in (noise(), b"no image"):
        url = service.post("/v1/jobs?style=night", content=content).headers["location"]
        wait_for(lambda url=url: service.get(url).json()["state"] in ("done", "failed"))
    assert images() == before + 2


def test_the_interface_is_described_with_examples(service: TestClient) -> None:
    schema = service.get("/openapi.json").json()
    post = schema["paths"]["/v1/stylize"]["post"]
    assert set(post["requestBody"]["content"]) == {"multipart/form-data", "image/*"}
    assert {option["name"] for option in post["parameters"]} >= {"style", "strength", "format", "colors", "stroke"}
    strength = next(option["schema"] for option in post["parameters"] if option["name"] == "strength")
    assert (strength["minimum"], strength["maximum"]) == (0.0, 1.5)
    assert set(post["responses"]) == {"200", "401", "404", "408", "413", "415", "422", "429", "503", "504"}
    for paths in schema["paths"].values():
        for operation in paths.values():
            assert operation["summary"]
    assert "0 is the photo" in json.dumps(schema)


def test_the_description_has_nothing_that_is_not_so(service: TestClient) -> None:
    schema = service.get("/openapi.json").json()
    text = json.dumps(schema)
    assert "ValidationError" not in text
    assert "null" not in text
    post = schema["paths"]["/v1/stylize"]["post"]
    assert {option["name"]: option["schema"].get("type") for option in post["parameters"]}["quality"] == "integer"
    assert post["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]["style"]["example"] == "night"


def test_the_documentation_loads_nothing_from_elsewhere(service: TestClient) -> None:
    page = service.get("/docs")
    assert page.status_code == 200
    assert "//" not in page.text.replace("http://testserver", "")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"):
        assert f"/docs/{name}" in page.text
        assert service.get(f"/docs/{name}").status_code == 200
    assert service.get("/docs/../documentation.py").status_code == service.get("/docs/x").status_code == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v1/styles"])
def test_what_can_be_fetched_has_a_head(service: TestClient, path: str) -> None:
    answer = service.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_page_is_there(service: TestClient) -> None:
    assert "stylenet" in service.get("/").text
