"""`imgfix` with the tiny job among its kinds of training; tests start it as a process of its own."""

import sys

import torch

sys.path.insert(0, __file__.rsplit("/", 1)[0])
torch.set_num_threads(1)

from imgfix.cli import main  # noqa: E402
from imgfix.train import kinds  # noqa: E402

kinds.KINDS["tiny"] = "tiny_job"

if __name__ == "__main__":
    main()
