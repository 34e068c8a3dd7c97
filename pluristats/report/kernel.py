"""The kernel that runs notebooks: this Python and this pluristats, whatever a notebook or a user's set-up says."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def kernel_manager_class(home: Path) -> type:
    """Kernel manager class whose kernel is the running interpreter, for nbclient's ``kernel_manager_class``.

    A kernel name in a notebook's metadata, stale user kernels, IPython start-up files and history are all ignored;
    the kernel imports the pluristats that is running now.

    Parameters
    ----------
    home
        Empty folder for the kernel's own files; thrown away by the caller.
    """
    # Here and not at the top: jupyter_client takes most of a second to import.
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    package_parent = str(Path(__file__).resolve().parent.parent.parent)
    path = os.pathsep.join([package_parent, *filter(None, [os.environ.get("PYTHONPATH")])])
    spec = KernelSpec(
        argv=[
            sys.executable,
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
            "--HistoryManager.enabled=False",
        ],
        display_name="pluristats",
        language="python",
        # A fixed hash seed: the order of a set must not differ between two runs of one identity.
        # One BLAS thread: matrices here are small, and threads that wait for each other cost more than they compute.
        env={
            "PYTHONPATH": path,
            "IPYTHONDIR": str(home),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
        },
    )

    # Sockets in a folder of our own: no port to race for and nothing for other users of the machine to read. The
    # operating system allows them about 100 bytes of path, hence the way out.
    short = len(os.fsencode(home)) <= 80

    class ThisInterpreter(AsyncKernelManager):
        transport = "ipc" if short else "tcp"
        connection_file = str(home / "kernel.json")

        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

    return ThisInterpreter
