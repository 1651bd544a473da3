"""dS/dt as the slope of a line through the window, with its error: never the difference of two noisy neighbours."""

import math

import numpy as np
import numpy.typing as npt

from stream.core.entropy import PSEUDOCOUNT, Z95
from stream.core.events import Rate
from stream.core.kernel import MOMENT, STRIDE, WINDOW, Counts, compiled

FEWEST_PANES = 3
"""Full panes needed for a slope."""
UNIT = "nats/stride"


def rate(counts: Counts, panes: int) -> Rate | None:
    """Slope of S over the window's full panes in nats per stride, with a 95 % interval; None while there are fewer than three.

    To first order dS = Σ dp (-ln p), so the slope is that of the shares, weighted with -ln p; its variance is the variance of -ln p for
    one response over what the least-squares line makes of it (docs/statistics.md, "Rate").
    """
    if panes < FEWEST_PANES:
        return None
    stride = int(counts.scalars[STRIDE])
    value, error = _slope(counts.rows[WINDOW], counts.rows[MOMENT], panes, stride, PSEUDOCOUNT)
    return Rate(value=value, low=value - Z95 * error, high=value + Z95 * error, unit=UNIT)


@compiled
def _slope(
    window: npt.NDArray[np.int64], moment: npt.NDArray[np.int64], panes: int, stride: int, pseudocount: float
) -> tuple[float, float]:
    """Slope per pane and its standard error; a category's share is smoothed as in the entropy's interval."""
    middle = (panes - 1) / 2
    spread = panes * (panes * panes - 1.0) / 12
    total = panes * stride + pseudocount * len(window)
    value, first, second = 0.0, 0.0, 0.0
    for category in range(len(window)):
        share = (window[category] + pseudocount) / total
        surprise = -math.log(share)
        first += share * surprise
        second += share * surprise * surprise
        value += (moment[category] - middle * window[category]) / (stride * spread) * surprise
    return value, math.sqrt(max(second - first * first, 0.0) / stride / spread)
