"""How many threads compute one product: the order of a sum, and with it its last bits, hangs on it.

torchrun gives each process one thread and a lone process has all cores; a scorer shares the cores out
over batches instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

#: Threads of one product on a CPU, whatever the environment says.
CPU_THREADS = 1


@contextmanager
def fixed_threads() -> Iterator[None]:
    """Compute with `CPU_THREADS`; afterwards with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(CPU_THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)
