"""VGG as a loss network: its features, and its weights, wherever they come from."""

from stylenet.learning.vgg.features import VGGFeatures
from stylenet.learning.vgg.weights import VGGWeights, WeightsError, load_vgg_weights

__all__ = ["VGGFeatures", "VGGWeights", "WeightsError", "load_vgg_weights"]
