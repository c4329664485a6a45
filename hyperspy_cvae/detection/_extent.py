"""How far regions reach, by their own mean spectra."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, find_objects, gaussian_filter, label, uniform_filter

from hyperspy_cvae.robust import quantile_deviation

_CORE = 0.6  # quantile of the scores of a region
_FEWEST, _FEWEST_OUTSIDE = 3, 20  # pixels
_TELLS = 0.3  # of the core: with less noise, pixels of the region can be told from others
# Of the core. Its pixels were chosen as the highest, so that their mean is too high for a half.
_KEPT = 0.4
_MARGIN = 12  # pixels


def region_extent(
    regions: NDArray[np.bool_],
    height: NDArray[np.floating],
    residual: NDArray[np.float32],
    judged: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return regions without the rims that smoothing makes, and with the pixels it missed.

    The residual of each pixel is projected on the mean of the region's core, the two fifths of its
    pixels with the highest scores; for these, on the mean of the others. Pixels in the region, or
    next to it, belong to it if they have .4 of what the core has on average, at the finest of four
    resolutions at which noise is less than .3 of that.

    Parameters
    ----------
    regions
        Boolean ``(rows, columns)``; diagonal neighbours are in one region.
    height
        How unlike the bulk each pixel is, of the same shape.
    residual
        Scaled residuals, ``(rows, columns, energy)``.
    judged
        Pixels that were judged, boolean ``(rows, columns)``.
    """
    shape = np.ones((3, 3))
    labels, _ = label(regions, shape)
    near = binary_dilation(regions, shape)
    outside = judged & ~near
    if outside.sum() < _FEWEST_OUTSIDE:
        return regions
    result = regions.copy()
    for number, place in enumerate(find_objects(labels), start=1):
        around = tuple(slice(max(0, s.start - _MARGIN), s.stop + _MARGIN) for s in place)
        region = labels[around] == number
        high = height[around]
        core = region & (high >= np.quantile(high[region], _CORE))
        size = int(core.sum())
        if size < _FEWEST:
            continue
        some = residual[around]
        axis = some[core].mean(0)
        projected = some @ axis
        own = np.einsum("rce,rce->rc", some, some)
        projected = np.where(core, (projected * size - own) / (size - 1), projected)
        others = outside[around]
        if others.sum() < _FEWEST_OUTSIDE:
            continue
        projected = projected - np.median(projected[others])
        strength = projected[core].mean()
        if strength <= 0:
            continue
        for smooth in (
            projected,
            uniform_filter(projected, 3),
            gaussian_filter(projected, 1.5),
            gaussian_filter(projected, 3.0),
        ):
            if quantile_deviation(smooth[others]) < _TELLS * strength:
                belongs = binary_dilation(region, shape) & (smooth >= _KEPT * smooth[core].mean())
                result[around] = (result[around] & ~region) | (belongs & judged[around])
                break
    return result
