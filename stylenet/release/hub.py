"""Publishing a network on the Hugging Face Hub: weights, card, images and an ONNX file."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stylenet.errors import UserError
from stylenet.export.onnx import export_onnx
from stylenet.models.hub import CONFIG, PREFIX, WEIGHTS, HubAddress, problem
from stylenet.models.style_file import Card, read_card, read_style

TAGS = ["style-transfer", "neural-style-transfer", "safetensors"]


def push_style(file: Path, repo: str, license_name: str, private: bool = False, onnx: bool = False) -> str:
    """Uploads a style file to a repository, which is created if missing; returns the commit's address.

    With it goes its page (`README.md`, from the model card), `config.json` and the image beside the file, and with
    `onnx` an export. `license_name` is the network's own: who publishes a network made from a painting answers for it.
    Raises `UserError`.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined] # of its HTTP client

    address = HubAddress.parse(f"{PREFIX}{repo}")
    if address != HubAddress(address.repo):
        raise UserError(f"a network is pushed to USER/REPO, as its {WEIGHTS} on the main branch, got {repo}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_repository(folder, file, repo, license_name, onnx)
        try:
            HfApi().create_repo(address.repo, private=private, exist_ok=True)
            commit = HfApi().upload_folder(repo_id=address.repo, folder_path=folder, commit_message=f"Add {file.stem}")
        except (OSError, ValueError, HTTPError) as error:
            raise UserError(f"{repo}: {problem(error, address)}") from error
    return str(commit.oid)


def write_repository(folder: Path, file: Path, repo: str, license_name: str, onnx: bool = False) -> None:
    """Writes the files of the repository into `folder`. Raises `UserError` when `file` is no style file."""
    network, card = read_style(file)
    shutil.copyfile(file, folder / WEIGHTS)
    (folder / CONFIG).write_text(card.to_json(), encoding="utf-8")
    picture = file.with_suffix(".jpg")
    if picture.is_file():
        shutil.copyfile(picture, folder / picture.name)
    if onnx:
        export_onnx(network, card, folder / f"{file.stem}.onnx")
    text = hub_page(file, repo, license_name, with_picture=picture.is_file(), with_onnx=onnx)
    (folder / "README.md").write_text(text, encoding="utf-8")


def hub_page(file: Path, repo: str, license_name: str, with_picture: bool, with_onnx: bool) -> str:
    """The repository's page: front matter that the hub reads, then the model's own page or, without one, its card."""
    card = read_card(file)
    page = file.with_suffix(".md")
    body = page.read_text(encoding="utf-8") if page.is_file() else short_page(file.stem, card, with_picture)
    inside = "#NAME" if card.style_names else ""
    use = f"```\npip install stylenet\nstylenet infer photo.jpg -s {PREFIX}{repo}{inside}\n```"
    return f"{front_matter(license_name, with_onnx)}\n{body.rstrip()}\n\n## Use\n\n{use}\n"


def front_matter(license_name: str, with_onnx: bool) -> str:
    lines = [
        "---",
        f"license: {json.dumps(license_name)}",
        "library_name: stylenet",
        "pipeline_tag: image-to-image",
        "tags:",
        *(f"- {tag}" for tag in TAGS + ["onnx"] * with_onnx),
        "---",
        "",
    ]
    return "\n".join(lines)


def short_page(name: str, card: Card, with_picture: bool) -> str:
    """The page of a network that was not released with one."""
    parts = [f"# {name}", "A network for fast style transfer (Johnson et al. 2016)."]
    if card.style_names:
        lines = [f"- `{each['name']}`: {about(each)}".removesuffix(": ") for each in card.paintings.values()]
        parts += [f"It holds {len(lines)} styles (Dumoulin et al. 2017):", "\n".join(lines)]
    elif known := about(card.facts.get("painting")):
        parts += [f"Painting: {known}."]
    parts += [f"![photos, stylized photos, the painting]({name}.jpg)"] * with_picture
    return "\n\n".join(parts)


def about(painting: Any) -> str:
    """What is known of a painting, in one line."""
    known: Mapping[str, Any] = painting if isinstance(painting, dict) else {}
    return ", ".join(str(known[key]) for key in ("title", "artist", "year", "source", "license") if known.get(key))
