"""Images a little shifted, turned, stretched and bent: more of what a network could meet than the training rows hold.

Plain NumPy on whole chunks, so that an epoch of thousands of small images costs milliseconds and what is drawn depends
on the generator alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Changes(NamedTuple):
    """The largest changes: pixels shifted, degrees turned, share stretched, pixels bent."""

    shift: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    bend: float = 0.0


def changed(images: NDArray[np.float32], changes: Changes, rng: np.random.Generator) -> NDArray[np.float32]:
    """Give each image changed by amounts drawn evenly up to the largest; beyond the border there is 0.

    Parameters
    ----------
    images : array of shape (images, height, width)
        Grey values.

    Notes
    -----
    Simard, Steinkraus and Platt, Best Practices for Convolutional Neural Networks (2003), also for the bends; here they
    are a displacement drawn for a grid of 3 x 3 points and interpolated between them.
    """
    count, height, width = images.shape
    down, right = (axis.ravel() for axis in np.mgrid[:height, :width].astype("float32"))
    middle_down, middle_right = (height - 1) / 2, (width - 1) / 2

    def drawn(most: float, *shape: int) -> NDArray[np.float32]:
        return rng.uniform(-most, most, (count, *(shape or (1,)))).astype("float32")

    angle = np.radians(drawn(changes.rotation))
    cosine, sine = np.cos(angle), np.sin(angle)
    tall, broad = np.exp(drawn(changes.zoom)), np.exp(drawn(changes.zoom))
    from_middle = (down - middle_down, right - middle_right)
    source_down = tall * (cosine * from_middle[0] - sine * from_middle[1]) + middle_down + drawn(changes.shift)
    source_right = broad * (sine * from_middle[0] + cosine * from_middle[1]) + middle_right + drawn(changes.shift)
    if changes.bend:
        weights = _grid(height, width)
        source_down = source_down + drawn(changes.bend, 9) @ weights
        source_right = source_right + drawn(changes.bend, 9) @ weights
    return _interpolated(images, source_down, source_right).reshape(images.shape)


def _grid(height: int, width: int) -> NDArray[np.float32]:
    """Give the bilinear weights of 3 x 3 points, evenly over an image, for its pixels: shape (9, pixels)."""
    tents = [
        np.maximum(0, 1 - np.abs(np.linspace(0, 2, size)[None] - np.arange(3)[:, None])) for size in (height, width)
    ]
    return np.einsum("ah,bw->abhw", *tents).reshape(9, height * width).astype("float32")


def _interpolated(
    images: NDArray[np.float32], down: NDArray[np.float32], right: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Give the values of images between their pixels, at points of shape (images, points)."""
    count, height, width = images.shape
    framed = np.zeros((count, height + 2, width + 2), dtype="float32")
    framed[:, 1:-1, 1:-1] = images
    down, right = np.clip(down + 1, 0, height + 0.999), np.clip(right + 1, 0, width + 0.999)
    top, left = down.astype("int64"), right.astype("int64")
    below, beside = (down - top).astype("float32"), (right - left).astype("float32")
    image = np.arange(count)[:, None]
    return (
        framed[image, top, left] * (1 - below) * (1 - beside)
        + framed[image, top, left + 1] * (1 - below) * beside
        + framed[image, top + 1, left] * below * (1 - beside)
        + framed[image, top + 1, left + 1] * below * beside
    )
