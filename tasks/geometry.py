"""Distances and rotations for derived columns: arithmetic on coordinates, on arrays and tensors alike.

Trees cut a map along its axes only. Turned axes and the distance to a place give them other lines to cut along.
"""

from __future__ import annotations

from math import radians
from typing import Any

EARTH_RADIUS_KILOMETRES = 6371.0088
"""The mean radius of the earth (Moritz, Geodetic Reference System 1980, Journal of Geodesy, 2000)."""


def distance(functions: Any, x: Any, y: Any, x0: Any, y0: Any) -> Any:
    """Give the straight distance from each (x, y) to (x0, y0).

    >>> import numpy as np
    >>> float(distance(np, 3.0, 4.0, 0.0, 0.0))
    5.0
    """
    return functions.sqrt((x - x0) ** 2 + (y - y0) ** 2)


def great_circle(functions: Any, longitude: Any, latitude: Any, longitude0: Any, latitude0: Any) -> Any:
    """Give the kilometres over the ground from each place to another; all are in degrees.

    By the haversine formula, which keeps its digits for places that are near each other (Sinnott, Virtues of the
    Haversine, Sky and Telescope, 1984).

    >>> import numpy as np
    >>> float(great_circle(np, -118.24, 34.05, -122.42, 37.77).round())  # Los Angeles to San Francisco
    559.0
    """
    degree = radians(1.0)
    across = functions.sin((longitude - longitude0) * (degree / 2)) ** 2
    along = functions.sin((latitude - latitude0) * (degree / 2)) ** 2
    chord = along + functions.cos(latitude * degree) * functions.cos(latitude0 * degree) * across
    return functions.asin(functions.sqrt(functions.minimum(chord, chord * 0 + 1))) * (2 * EARTH_RADIUS_KILOMETRES)


def rotated(functions: Any, x: Any, y: Any, degrees: Any) -> Any:
    """Give how far each (x, y) lies along an axis that is turned anticlockwise from that of x.

    >>> import numpy as np
    >>> float(rotated(np, 1.0, 1.0, 45.0).round(4))
    1.4142
    """
    angle = degrees * radians(1.0)
    return x * functions.cos(angle) + y * functions.sin(angle)


NUMBERS_OF = {"distance": 4, "great_circle": 4, "rotated": 3}
"""How many numbers each function takes."""
