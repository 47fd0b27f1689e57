"""What only the user can know where a file does not say it."""

from __future__ import annotations

from cmh_data._errors import DataError


class ReadOptions:
    """What only the user can know where a file does not say it.

    Args:
        n_rows: the number of rows, where square arrays leave it open.
        pixel_axes: "height-width", "width-height" or "auto".
        views: which two of a file's views are image and text, by their letters: I, T or P.
        first_row: from which number the file counts rows, 0 or 1; None: found where it can be.
    """

    def __init__(
        self,
        *,
        n_rows: int | None = None,
        pixel_axes: str = "auto",
        views: str = "IT",
        first_row: int | None = None,
    ) -> None:
        if pixel_axes not in {"auto", "height-width", "width-height"}:
            raise DataError(
                f"pixel_axes must be auto, height-width or width-height, but it is {pixel_axes!r}."
            )
        if len(views) != 2 or len(set(views)) != 2:
            raise DataError(f"views must be two different letters such as IT or IP, but it is {views!r}.")
        if first_row not in {None, 0, 1}:
            raise DataError(f"first_row must be 0 or 1, but it is {first_row!r}.")
        self.n_rows, self.pixel_axes, self.views, self.first_row = n_rows, pixel_axes, views, first_row
