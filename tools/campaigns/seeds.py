"""Small whole files of every kind that is read, as the stock that mutations start from."""

import io
import json
import struct
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageCms
from safetensors.torch import save

from stylenet.models.style_file import CARD_KEY, Card
from stylenet.models.transformer_net import NetworkSettings, TransformerNet, initialize

TINY = NetworkSettings(width=2, blocks=1)


def noise(mode: str, width: int = 24, height: int = 20) -> Image.Image:
    """A gradient with some noise, in any of Pillow's modes."""
    columns, rows = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    pixels = np.dstack([columns, rows, np.random.default_rng(0).integers(0, 256, (height, width))]).astype(np.uint8)
    image = Image.fromarray(pixels)
    if mode in ("I;16", "F"):
        return Image.fromarray((columns * 200).astype(np.uint16 if mode == "I;16" else np.float32))
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(rows.astype(np.uint8)))
    return image.convert(mode)


def encoded(kind: str, mode: str, frames: int = 1, **options: object) -> bytes:
    buffer = io.BytesIO()
    if frames > 1:
        options |= {"save_all": True, "append_images": [noise("RGB").rotate(90 * i) for i in range(1, frames)]}
    noise(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def pictures() -> dict[str, bytes]:
    """The seeds, by names that begin with the format."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "described"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile[:24] + bytes(12) + profile[36:]  # without the time of its making
    found = {
        "jpeg": encoded("JPEG", "RGB", exif=exif, icc_profile=profile),
        "jpeg progressive": encoded("JPEG", "RGB", progressive=True, quality=30),
        "jpeg cmyk": encoded("JPEG", "CMYK", icc_profile=profile),
        "jpeg gray": encoded("JPEG", "L", restart_marker_rows=1),
        "mpo": encoded("MPO", "RGB", frames=3),
        "png": encoded("PNG", "RGB", exif=exif, icc_profile=profile),
        "png palette": encoded("PNG", "P", transparency=3, bits=4),
        "png alpha": encoded("PNG", "LA"),
        "png 16": encoded("PNG", "I;16"),
        "png bits": encoded("PNG", "1"),
        "png animated": encoded("PNG", "RGBA", frames=3),
        "webp": encoded("WEBP", "RGB", exif=exif),
        "webp lossless": encoded("WEBP", "RGBA", lossless=True),
        "webp animated": encoded("WEBP", "RGB", frames=3),
        "gif": encoded("GIF", "P", transparency=2),
        "gif animated": encoded("GIF", "P", frames=3, loop=0),
        "bmp": encoded("BMP", "RGB"),
        "bmp palette": encoded("BMP", "P"),
        "bmp bits": encoded("BMP", "1"),
        "ppm": encoded("PPM", "RGB"),
        "ppm 16": encoded("PPM", "I;16"),
        "ppm float": encoded("PPM", "F"),
        "ppm text": b"P3\n# a comment\n3 2 255\n" + b" ".join(b"%d" % (14 * i) for i in range(18)),
        "pbm text": b"P1 8 4\n" + b"0 1 1 0 1 0 0 1\n" * 4,
        "avif": encoded("AVIF", "RGB", speed=10),
        "avif alpha": encoded("AVIF", "RGBA", speed=10),
    }
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma", "zstd"):
        found[f"tiff {compression}"] = encoded("TIFF", "RGB", compression=compression)
    found |= {
        "tiff fax": encoded("TIFF", "1", compression="group4"),
        "tiff float": encoded("TIFF", "F"),
        "tiff cmyk": encoded("TIFF", "CMYK", compression="tiff_lzw", icc_profile=profile),
        "tiff alpha": encoded("TIFF", "RGBA", compression="tiff_adobe_deflate"),
        "tiff pages": encoded("TIFF", "RGB", frames=3),
    }
    return found


def style_files() -> dict[str, bytes]:
    """A tiny style in three precisions, and one with a nested card."""
    network = initialize(TransformerNet(TINY), 0)
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    card = {CARD_KEY: Card("tiny", TINY, {"painting": {"title": "T"}}).to_json()}
    casts: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "fp32": torch.Tensor.float,
        "fp16": torch.Tensor.half,
        "bf16": torch.Tensor.bfloat16,
    }
    found = {name: save({key: cast(value) for key, value in weights.items()}, card) for name, cast in casts.items()}
    nested = {"__metadata__": {CARD_KEY: "[" * 500}, "a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}
    header = json.dumps(nested).encode()
    return found | {"nested": struct.pack("<Q", len(header)) + header + bytes(4)}


def checkpoints() -> dict[str, bytes]:
    """A few tensors as `torch.save` writes and as it wrote them."""
    state = {f"in{i}.{kind}": torch.ones(4) for i in (1, 2) for kind in ("weight", "bias", "running_mean")}
    found = {}
    for name, zipped in (("zip", True), ("before 1.6", False)):
        buffer = io.BytesIO()
        torch.save(state, buffer, _use_new_zipfile_serialization=zipped)
        found[name] = buffer.getvalue()
    return found
