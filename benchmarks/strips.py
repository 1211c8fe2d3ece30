"""An image in strips against the same as a whole, in dB (PSNR): `python benchmarks/strips.py [STYLE...]`.

Strips get little more memory than their minimum. By default every network of one style in checkpoints/; the image is
a held-out photo of 1021 x 683 pixels.
"""

import math
import sys

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stylenet.data import held_out_photos
from stylenet.inference.stylizer import Stylizer
from stylenet.models.catalog import single_styles

SIZE = (683, 1021)
SHARE = 0.15  # of the memory that the image would take as a whole


def stylized(style: str, dtype: torch.dtype, share: float, photo: Tensor) -> Float[Tensor, "1 3 h w"]:
    stylizer = Stylizer.load(style, dtype=dtype)
    stylizer.memory = math.ceil(share * stylizer.bytes_per_pixel * photo[:, 0].numel())
    return stylizer.stylize(photo).float()


def decibels(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10(float((a.double() - b.double()).square().mean()))


def main() -> None:
    if {"-h", "--help"} & set(sys.argv):
        sys.exit(__doc__)
    styles = sys.argv[1:] or list(single_styles())
    photo = F.interpolate(held_out_photos(1024)[0][:1].float() / 255, SIZE, mode="bilinear")
    print("| dB | strips, fp32 | strips, bf16 | bf16 itself, against fp32 |\n|---|---|---|---|")
    for style in styles:
        whole = {dtype: stylized(style, dtype, 1.0, photo) for dtype in (torch.float32, torch.bfloat16)}
        strips = [decibels(stylized(style, dtype, SHARE, photo), whole[dtype]) for dtype in whole]
        figures = [*strips, decibels(whole[torch.bfloat16], whole[torch.float32])]
        print(f"| {style} | {' | '.join(f'{value:.1f}' for value in figures)} |", flush=True)


if __name__ == "__main__":
    main()
