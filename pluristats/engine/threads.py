"""BLAS threads: many small factorisations gain nothing from them and, on a busy machine, lose tenfold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@cache
def _controller() -> Any:
    # Looking for the loaded libraries takes milliseconds, so once a process.
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_blas_thread(*, unless: bool = False) -> Iterator[None]:
    """Run a block on one BLAS thread; with ``unless`` (large matrices) leave the threads as they are."""
    if unless:
        yield
        return
    with _controller().limit(limits=1, user_api="blas"):
        yield
