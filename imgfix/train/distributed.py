"""Training on several processes (`torchrun -m imgfix train ...`): data parallel, every process keeps all weights.

Gradients are averaged here, in one flat message a network, once a step, rather than by torch's DistributedDataParallel:
that wrapper wants one forward for each backward and all parameters used, which adversarial training (a discriminator
that is run twice, then frozen) and gradient accumulation only satisfy with special cases. The result is the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from imgfix.errors import UsageError


@dataclass(frozen=True)
class Team:
    """The processes that train together; a single process is a team of one and sends nothing."""

    rank: int = 0
    """This process's number; number 0 writes the files."""
    world: int = 1
    """How many processes there are."""
    local_rank: int = 0
    """This process's number on its machine: its accelerator."""

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes."""
        if self.world == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        if gradients:
            flat = torch.cat([g.reshape(-1) for g in gradients])
            self._sum(flat)
            flat /= self.world
            parts = flat.split([g.numel() for g in gradients])
            torch._foreach_copy_(gradients, [part.view_as(g) for part, g in zip(parts, gradients, strict=True)])

    def mean(self, values: Tensor) -> Tensor:
        """Average a small tensor over the processes."""
        if self.world == 1:
            return values
        values = values.clone()
        self._sum(values)
        return values / self.world

    def highest(self, values: list[float], device: torch.device) -> list[float]:
        """Agree on the element-wise maximum of some numbers."""
        if self.world == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
        return tensor.tolist()

    def share(self, networks: Iterable[nn.Module]) -> None:
        """Give every process the weights of number 0."""
        if self.world > 1:
            for network in networks:
                for tensor in (*network.parameters(), *network.buffers()):
                    dist.broadcast(tensor.data, src=0)

    def wait(self) -> None:
        """Wait until every process is here (number 0 validates or writes meanwhile)."""
        if self.world > 1:
            dist.barrier()

    def leave(self) -> None:
        """End the process group."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()

    @staticmethod
    def _sum(values: Tensor) -> None:
        dist.all_reduce(values, op=dist.ReduceOp.SUM)


def local_rank() -> int:
    """Read this process's number on its machine from torchrun's environment; 0 without torchrun."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def join(device: torch.device) -> Team:
    """Join the other processes that torchrun started; without torchrun, a team of one.

    Raises:
        UsageError: torchrun's variables are there, but the processes cannot find each other.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Team()
    if not dist.is_initialized():
        backend = "nccl" if device.type == "cuda" else "gloo"
        try:
            # Validation happens on one process while the others wait, and may take long.
            dist.init_process_group(backend, timeout=timedelta(hours=2))
        except (ValueError, RuntimeError) as error:
            raise UsageError(
                f"the {world} processes cannot find each other: {error}",
                hint="start them with: torchrun --nproc-per-node N -m imgfix train ...",
            ) from None
    return Team(dist.get_rank(), dist.get_world_size(), local_rank())
