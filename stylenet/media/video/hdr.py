"""HDR to SDR: PQ and HLG in BT.2020 (ITU-R BT.2100) to what an ordinary screen shows (BT.709, BT.1886).

Diffuse white is at 203 cd/m² (BT.2408); what is brighter is pressed below white by the curve of BT.2390, which leaves
the darker half as it is.
"""

from functools import cache

import numpy as np
from jaxtyping import Float, UInt8, UInt16

BT709, BT2020 = 1, 9  # primaries
PQ, HLG = 16, 18  # transfers
WHITE, PEAK = 203.0, 1000.0  # cd/m²: of SDR's white, and the brightest that is expected
GAMMA = 2.4  # BT.1886
TO_BT709 = np.array(  # BT.2087
    [[1.660491, -0.587641, -0.07285], [-0.12455, 1.1329, -0.00835], [-0.018151, -0.100579, 1.11873]], np.float32
)
LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)  # of BT.2020's red, green and blue
M1, M2, C1, C2, C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128  # of PQ
A, B, C = 0.17883277, 0.28466892, 0.55991073  # of HLG


def to_sdr(pixels: UInt16[np.ndarray, "h w 3"], transfer: int, wide: bool = True) -> UInt8[np.ndarray, "h w 3"]:
    """Tone-maps full-range PQ or HLG codes to 8-bit BT.709.

    `wide`: the primaries are BT.2020's, else already BT.709's.
    """
    light = to_light(transfer)[pixels]
    if transfer == HLG:  # the scene's light, of which a screen of 1,000 cd/m² makes (BT.2100's OOTF)
        light *= PEAK * np.maximum(light @ LUMINANCE, 1e-6)[..., None] ** 0.2
    brightest = light.max(-1, keepdims=True)
    light *= np.interp(brightest, *tone_map_gain()).astype(np.float32)  # all three alike, so that no hue changes
    if wide:
        light = light @ TO_BT709.T
    return np.asarray(((light / WHITE).clip(0, 1) ** (1 / GAMMA) * 255).round().astype(np.uint8))


@cache
def to_light(transfer: int) -> Float[np.ndarray, "65536"]:
    """The light of each code: cd/m² for PQ, the share of the scene's peak for HLG."""
    code = np.linspace(0, 1, 65536)
    return (pq_to_light(code) if transfer == PQ else hlg_to_light(code)).astype(np.float32)


def pq_to_light(code: np.ndarray) -> np.ndarray:
    root = code ** (1 / M2)
    return np.asarray(10_000 * (np.maximum(root - C1, 0) / (C2 - C3 * root)) ** (1 / M1))


def light_to_pq(light: np.ndarray) -> np.ndarray:
    root = (light / 10_000) ** M1
    return np.asarray(((C1 + C2 * root) / (1 + C3 * root)) ** M2)


def hlg_to_light(code: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(code <= 0.5, code**2 / 3, (np.exp((code - C) / A) + B) / 12))


@cache
def tone_map_gain() -> tuple[np.ndarray, np.ndarray]:
    """Brightness in cd/m², and what it is multiplied by to lie below SDR's white."""
    bright = np.concatenate([[0], np.geomspace(1, 10_000, 1000)])
    shown = pq_to_light(tone_curve(light_to_pq(bright)))
    return bright, np.divide(shown, bright, out=np.ones_like(bright), where=bright > 0)


def tone_curve(code: np.ndarray) -> np.ndarray:
    """BT.2390's curve, from PQ code to PQ code: straight up to its knee, then a spline that ends flat at white."""
    peak, white = (light_to_pq(np.array(light)) for light in (PEAK, WHITE))
    top = white / peak
    knee = 1.5 * top - 0.5
    code = np.minimum(code / peak, 1)
    t = np.maximum(code - knee, 0) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * top
    return np.asarray(np.where(code < knee, code, spline) * peak)
