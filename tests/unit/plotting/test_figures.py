"""Figures: small, and the same bytes for the same content."""

import numpy as np

from ml.plotting.figures import empty, png, thumbnail


def test_the_same_figure_is_the_same_bytes():
    """No time and no version of a library is written into the file."""

    def drawn(height: int) -> bytes:
        figure, axes = empty(4, 2)
        axes.plot([0, 1], [0, height])
        return png(figure)

    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(1).startswith(b"\x89PNG")
    assert len(drawn(1)) < 30_000


def test_a_copy_is_small():
    """Of a picture full of noise, which a PNG cannot compress."""
    figure, axes = empty(8, 3.2)
    axes.imshow(np.random.default_rng(0).normal(size=(40, 720)), aspect="auto")
    assert len(thumbnail(png(figure))) < 30_000 < len(png(figure))
