"""`imgfix` with the tiny job among its kinds of training; tests start it as a process of its own."""

import torch

from imgfix.cli import main
from imgfix.train import kinds

torch.set_num_threads(1)
kinds.KINDS["tiny"] = "tests.train.tiny_job"

if __name__ == "__main__":
    main()
