"""VGG as a loss network: its features, and its weights, wherever they come from."""

from stylenet.losses.vgg.features import VGGFeatures
from stylenet.losses.vgg.weights import VGGWeights, WeightsError, load_vgg_weights

__all__ = ["VGGFeatures", "VGGWeights", "WeightsError", "load_vgg_weights"]
