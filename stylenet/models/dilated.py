"""A transformer network with dilated residual blocks (Yu & Koltun 2016): a wider view at the same cost.

Five blocks with dilations 1, 2, 4, 1, 2 reach 80 pixels of the photo in every direction instead of 40, so that strokes
and figures can be larger, with no more parameters and no more multiplications.
"""

from torch import nn

from stylenet.models.layers import ResidualBlock
from stylenet.models.transformer_net import TransformerNet

DILATIONS = (1, 2, 4)  # pixels at a quarter of the resolution, block after block


class DilatedNet(TransformerNet):
    """Takes sides of at least 20 px, as the reflections reach further."""

    minimum_side = TransformerNet.stride * (max(DILATIONS) + 1)

    def blocks(self, channels: int, count: int) -> list[nn.Module]:
        return [ResidualBlock(channels, DILATIONS[index % len(DILATIONS)]) for index in range(count)]
