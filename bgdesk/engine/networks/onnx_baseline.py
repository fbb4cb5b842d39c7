"""A published network file run plainly by ONNX Runtime, with as many threads as we use: what our own runs are held against."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgdesk.engine.networks.device import Run


def threads() -> int:
    """Threads of one network run of ours on the CPU."""
    import torch

    return torch.get_num_threads()


def plain_run(file: Path) -> Run:
    """Open a network on ONNX Runtime's CPU provider, at its defaults but for the threads.

    Parameters
    ----------
    file
        An ONNX file.

    Raises
    ------
    ModelError
        ONNX Runtime is not installed.
    Exception
        Whatever ONNX Runtime raises for a file that it cannot load.
    """
    from bgdesk.engine.networks.onnx_net import runtime

    onnxruntime = runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    entry, answer = session.get_inputs()[0].name, session.get_outputs()[0].name

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run([answer], {entry: batch})[0]
        return found

    return run
