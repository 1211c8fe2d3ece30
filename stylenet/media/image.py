"""Files to pixels, and pixels from one form to another.

Pixels are RGB floats in [0, 1], `3 h w`. Reading gives what a viewer would show: turned as the EXIF
orientation says, 16-bit grayscale scaled, transparent parts on white. `stylenet.media.encoders` writes.
"""

import io

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageCms, ImageFile
from torch import Tensor

from stylenet.media.decoders import Source, opened_image
from stylenet.media.limits import MAXIMUM_PIXELS, ImageError

TURNS = {  # EXIF's orientation (tag 0x0112): what brings the image upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTED = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")  # where Pillow looks for an orientation
HIGHLIGHTS = 8  # times white: how bright float images get, of which linear photos have such values nearly always
KINDS = {
    "1": "grayscale",
    "L": "grayscale",
    "LA": "grayscale",
    "P": "palette",
    "PA": "palette",
    "CMYK": "CMYK",
}


def decode_image(
    source: Source, max_pixels: int = MAXIMUM_PIXELS, srgb: bool = False, name: str = "the image"
) -> Image.Image:
    """An image file, or its bytes, as an upright RGB image of 8 bits; of an animation, the first frame.

    Colors are the numbers in the file, whose profile the result keeps, or with `srgb` what the profile makes of them.
    Raises `ImageError`, which calls bytes by `name`, for whatever isn't a whole image of at most `max_pixels`.
    """
    with opened_image(source, max_pixels, name) as image:
        return to_rgb(in_srgb(upright(image)) if srgb else upright(image))


def conversions(image: ImageFile.ImageFile) -> tuple[str, ...]:
    """The changes that make RGB of 8 bits of a file; asked before loading, which hides the depth."""
    kind = KINDS.get(image.mode)
    deep = image.mode.startswith(("I", "F")) or any(";16" in str(tile[3]) for tile in image.tile)
    return (*([kind] if kind else []), *(["16-bit or more"] if deep else []))


def upright(image: Image.Image) -> Image.Image:
    """The image, or an animation's present frame, loaded and turned as its EXIF orientation says."""
    image.load()
    turn = TURNS.get(orientation(image))  # read after loading: TIFF turns itself then, and drops the tag
    if turn is None:
        return image
    turned = image.transpose(turn)
    for name in ORIENTED:  # else whoever gets the result would turn it again
        turned.info.pop(name, None)
    return turned


def orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 is upright."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # nonsense in the EXIF data doesn't spoil the image
        return 1


def to_rgb(image: Image.Image) -> Image.Image:
    """Any image as RGB of 8 bits: 16 bits scaled, transparency laid on white, CMYK by its own profile."""
    image = to_rgb_or_rgba(image)
    if image.mode == "RGB":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def to_rgb_or_rgba(image: Image.Image) -> Image.Image:
    """Any image as RGB of 8 bits, or as RGBA if it may be transparent somewhere."""
    if image.mode == "RGBA" or (image.mode == "RGB" and not image.has_transparency_data):
        return image
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if image.mode == "LA" and "icc_profile" in image.info:
        rgb = _by_profile(image.convert("L"))
        rgb.putalpha(image.getchannel("A"))
        return rgb
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("CMYK", "L") and "icc_profile" in image.info:
        return _by_profile(image)
    try:
        return image.convert("RGB")
    except ValueError as error:
        raise ImageError(f"has colors ({image.mode}) that cannot be converted to RGB") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grayscale of 16 or 32 bits or floats, from [0, white] to [0, 255].

    White is the largest value of the integer type. Floats have none: it is 1, 255 or 65,535, whichever all values but
    highlights (up to `HIGHLIGHTS` times white, and a thousandth of the pixels beyond) lie below. The profile stays, and
    the one value that a PNG may declare transparent becomes alpha.
    """
    values = np.nan_to_num(np.asarray(image).astype(np.float32))
    if image.mode == "F":
        bright = float(np.quantile(values, 0.999))
        peak = next((peak for peak in (1, 255, 65535) if bright <= HIGHLIGHTS * peak), 2**31 - 1)
    else:
        peak = 65535 if values.max() <= 65535 else 2**31 - 1
    result = Image.fromarray((values.clip(0, peak) * (255 / peak)).round().astype(np.uint8))
    if (clear := image.info.get("transparency")) is not None:
        result.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    if "icc_profile" in image.info:
        result.info["icc_profile"] = image.info["icc_profile"]
    return result


def in_srgb(image: Image.Image) -> Image.Image:
    """RGB with a profile of its own in `image.info`, such as Adobe RGB, as sRGB. Others are left to `to_rgb`."""
    if image.mode not in ("RGB", "RGBA") or "icc_profile" not in image.info:
        return image
    image = image.convert("RGBA") if image.has_transparency_data else image
    converted = _by_profile(image.convert("RGB"))
    if image.mode == "RGBA":
        converted.putalpha(image.getchannel("A"))
    return converted


def _by_profile(image: Image.Image) -> Image.Image:
    """The colors by the image's profile; Pillow's own conversion ignores it, and makes CMYK and gray far too bright."""
    try:
        press = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        screen = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, press, screen, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        converted = None
    return converted or image.convert("RGB")


def fitted_size(size: tuple[int, int], short: int | None = None, long: int | None = None) -> tuple[int, int]:
    """Width and height in pixels with the short side at `short`, and the long side at `long` at most."""
    scale = short / min(size) if short is not None else 1.0
    scale = min(scale, long / max(size)) if long is not None else scale
    width, height = (max(1, round(side * scale)) for side in size)
    return width, height


def resize(image: Image.Image, size: int) -> Image.Image:
    """The image with its short side at `size` pixels, smaller ones enlarged."""
    return image.resize(fitted_size(image.size, size), Image.Resampling.LANCZOS)


def to_tensor(image: Image.Image) -> Float[Tensor, "3 h w"]:
    """An RGB image as floats in [0, 1]."""
    pixels = torch.from_numpy(np.array(image))  # a copy: Pillow's own memory is read-only
    return pixels.permute(2, 0, 1).float().div_(255)


def to_uint8(pixels: Float[Tensor, "*b 3 h w"]) -> UInt8[Tensor, "*b 3 h w"]:
    """Floats in [0, 1] as whole numbers in [0, 255], to the nearest; what lies outside is clipped."""
    return pixels.float().clamp(0, 1).mul(255).round().to(torch.uint8)


def to_image(pixels: Float[Tensor, "3 h w"] | UInt8[Tensor, "3 h w"]) -> Image.Image:
    """Floats in [0, 1] or whole numbers in [0, 255] as an RGB image."""
    whole = pixels if pixels.dtype == torch.uint8 else to_uint8(pixels)
    return Image.fromarray(whole.permute(1, 2, 0).contiguous().cpu().numpy())
