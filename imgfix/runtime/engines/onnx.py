"""Networks in ONNX Runtime (MIT), on the CPU."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor

from imgfix.runtime import prefetch

_TICK = 0.1  # seconds after which a run looks whether it is still wanted


class OnnxNetwork:
    """A network in fp32."""

    def __init__(self, file: Path, threads: int) -> None:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.log_severity_level = 3  # errors
        # Its own pool of memory never shrinks; the C library's does when memory is short.
        settings.enable_cpu_mem_arena = False
        try:
            self._session = onnxruntime.InferenceSession(str(file), settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # classes of its own, not all of them RuntimeErrors
            raise RuntimeError(str(error)) from error

    def __call__(self, x: Tensor) -> Tensor:
        """See `imgfix.runtime.engines.Compiled`."""
        prefetch.check()
        run = _Run(self._session, x)
        run.start()
        try:
            while run.is_alive():
                run.join(_TICK)
                prefetch.check()
        except BaseException:
            run.options.terminate = True
            run.join()
            raise
        if run.failure is not None:
            raise RuntimeError(str(run.failure)) from run.failure
        return torch.from_numpy(run.result)


class _Run(threading.Thread):
    """One run in a thread of its own, so that the caller can end it; `run_async` needs two threads to compute."""

    def __init__(self, session: Any, x: Tensor) -> None:
        super().__init__(daemon=True)
        self.options = onnxruntime.RunOptions()
        self.result: Any = None
        self.failure: Exception | None = None
        self._session, self._feed = session, {"input": x.contiguous().float().numpy()}

    def run(self) -> None:
        try:
            (self.result,) = self._session.run(["output"], self._feed, self.options)
        except Exception as error:  # raised anew by the caller
            self.failure = error
