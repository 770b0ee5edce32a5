"""Codes of classes as mixtures of Gaussians: what a generator of classes draws from before it has learned anything."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHARPNESS = 0.5
"""How much the squared distance of a condition to that of a class counts (two classes are about 48 from each other)."""
FEWEST = 64
"""Codes of a cluster on average, at the least: fewer say little about how they are spread."""
ROUNDS = 25


class CodeMixture(nn.Module):
    """Noise beside conditions to codes: a Gaussian of codes that noise draws from, and a learned correction.

    A plan that is learned from nothing may ignore the noise, and then each class is one picture. Here the codes of each
    class are found to lie in clusters, each with a mean and principal axes (mixtures of principal component analysers,
    Tipping & Bishop 1999; as generators of pictures Richardson & Weiss 2018, arXiv 1805.12462), before any training.
    Some of the noise chooses the cluster, as often as it is met with (the Gumbel-max trick), the rest a place in it.
    The correction is a network of one hidden layer that sees that place and the condition, and adds nothing at first.
    A condition between classes gives codes between theirs.

    Shapes: noise beside conditions (N, noise + conditions) to codes (N, codes).

    Args:
        classes: how many there are.
        label: numbers of a condition's vector, at its end, that say the class.
        clusters, axes: at most so many a class, and so many a cluster; fewer where there is too little noise.
    """

    keys: Tensor
    shares: Tensor
    means: Tensor
    axes: Tensor
    scales: Tensor

    def __init__(
        self, noise: int, conditions: int, codes: int, hidden: int, classes: int, label: int, clusters: int, axes: int
    ) -> None:
        super().__init__()
        self.noise, self.label, self.classes = noise, label, classes
        self.clusters = clusters = max(1, min(clusters, noise // 4))
        self.rank = rank = min(axes, noise - clusters, codes)
        self.register_buffer("keys", torch.zeros(classes, label))
        self.register_buffer("shares", torch.zeros(classes, clusters))
        self.register_buffer("means", torch.zeros(classes, clusters, codes))
        self.register_buffer("axes", torch.zeros(classes, clusters, rank, codes, dtype=torch.int8))
        self.register_buffer("scales", torch.ones(classes, clusters, rank))
        self.first = nn.Linear(codes + conditions, hidden)
        self.last = nn.Linear(hidden, codes)
        nn.init.normal_(self.first.weight, 0, 1 / (codes + conditions) ** 0.5)
        nn.init.normal_(self.first.bias, 0, 0.5)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        code, correction = self.parts(x)
        return code + correction

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The codes that noise draws, and what is learned to be added to them: both (N, codes)."""
        noise, conditions = x[:, : self.noise].float(), x[:, self.noise :]
        code = self.place(noise, conditions[:, -self.label :].float())
        hidden = F.leaky_relu(self.first(torch.cat((code.to(conditions.dtype), conditions), 1)), 0.2)
        return code, self.last(hidden) / hidden.shape[1] ** 0.5  # steps of Adam would throw a wide layer about

    @torch.no_grad()  # what noise means must not be learned away
    def place(self, noise: Tensor, label: Tensor) -> Tensor:
        """Draw from the Gaussians of classes (N, label): (N, codes)."""
        near = (-SHARPNESS * torch.cdist(label, self.keys).square()).softmax(1)
        chance, along = noise.split((self.clusters, self.noise - self.clusters), 1)
        gumbel = -torch.log(-torch.special.log_ndtr(chance))
        chosen = (self.shares.log().clamp_min(-1e4) + gumbel[:, None]).argmax(2)
        weights = near[..., None] * F.one_hot(chosen, self.clusters)  # (N, classes, clusters)
        axes = torch.einsum("nck,ckrd->nrd", weights, self.axes.float() * self.scales[..., None])
        means = torch.einsum("nck,ckd->nd", weights, self.means)
        return means + torch.einsum("nr,nrd->nd", along[:, : self.rank], axes)

    @torch.no_grad()
    def settle(self, codes: Tensor, labels: Tensor, keys: Tensor, steps: Tensor) -> None:
        """Find the clusters, by how near pictures are. To be done once, before training.

        Args:
            codes: (pictures, codes).
            labels: (pictures,) class of each, -1 for none.
            keys: (classes, label) their conditions.
            steps: (codes,) by how much a picture changes with a code.
        """
        self.keys.copy_(keys)
        lots = torch.Generator().manual_seed(0)
        for label in range(self.classes):
            known = codes[labels == label] * steps
            if not len(known):
                continue
            owner, centres = clustered(known, max(1, min(self.clusters, len(known) // FEWEST)), lots)
            for number, centre in enumerate(centres):
                own = known[owner == number]
                self.shares[label, number] = len(own) / len(known)
                self.means[label, number] = centre / steps
                if len(own) < 2:
                    continue
                own = (own - own.mean(0)).double()  # in single precision LAPACK may give up where much is constant
                values, vectors = torch.linalg.eigh(own.T @ own / len(own))
                spread = values[-self.rank :].flip(0).clamp_min(0).sqrt()
                axes = (vectors[:, -self.rank :].flip(1) * spread).T.float() / steps
                scale = (axes.abs().amax(1) / 127).clamp_min(1e-8)
                self.scales[label, number] = scale
                self.axes[label, number] = (axes / scale[:, None]).round().clamp(-127, 127).to(torch.int8)


def clustered(points: Tensor, number: int, lots: torch.Generator) -> tuple[Tensor, Tensor]:
    """k-means (Lloyd 1982), begun at points far from each other (Arthur & Vassilvitskii 2007).

    Args:
        points: (N, dimensions).

    Returns:
        the cluster of each (N,), and the clusters' means (number, dimensions).
    """
    centres = points[torch.randint(len(points), (1,), generator=lots).to(points.device)]
    distance = torch.cdist(points, centres)[:, 0]
    for _ in range(number - 1):
        chance = distance.square().cpu() + 1e-12
        centres = torch.cat((centres, points[torch.multinomial(chance, 1, generator=lots).to(points.device)]))
        distance = torch.minimum(distance, torch.cdist(points, centres[-1:])[:, 0])
    for _ in range(ROUNDS):
        owner = torch.cdist(points, centres).argmin(1)
        count = torch.bincount(owner, minlength=number)[:, None]
        sums = torch.zeros_like(centres).index_add(0, owner, points)
        centres = torch.where(count > 0, sums / count.clamp_min(1), centres)
    return torch.cdist(points, centres).argmin(1), centres
