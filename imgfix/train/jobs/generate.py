"""Training a generator: pictures from captions, classes and sounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.errors import UsageError
from imgfix.nets.codemixture import CodeMixture
from imgfix.nets.conditions import steer
from imgfix.nets.dcgan import DCGANDiscriminator, DCGANGenerator
from imgfix.nets.r3gan import CodeMemory, R3Discriminator, R3Generator
from imgfix.nets.spectrogram import BANDS, FRAMES
from imgfix.nets.words import MOST_WORDS, WordTable, pieces_of, split
from imgfix.train import losses
from imgfix.train.captioned import CaptionedPool, load_captioned, rank_in_group
from imgfix.train.diffaugment import augment
from imgfix.train.job import Batch, Draw, NetIdentity, Validation
from imgfix.train.jobs.base import NetJob
from imgfix.train.jobs.common import left_out, shown, starting_net
from imgfix.train.recipe import Recipe

MOST_SETTLING = 8192
"""Pictures whose principal components are taken."""
MOST_CLUSTERS, MOST_AXES = 16, 48
"""Clusters of a class's codes, and principal axes of a cluster, where there are few classes."""
SECTORS = 8
"""Pictures of one caption that a seed can choose among, where there are no classes."""


@dataclass(frozen=True)
class Options:
    """Settings of `imgfix train generate`."""

    words: str = "generate-stickers"
    """Model or file whose table of word vectors a fresh network takes over."""
    channels: int | None = None
    """1, 3 or 4 (with transparency); what the pictures have when not given."""
    pixel: float = 1.0
    """Weight of the mean absolute error to the captioned picture."""
    perceptual: float = 0.2
    """Weight of LPIPS to it."""
    perceptual_model: str = "lpips-alex"
    """Catalog name or file of the LPIPS network."""
    copies: float = 0.25
    """Part of the drawn pictures that are drawn from their own codes instead of planned ones (r3gan)."""
    plan: float = 1.0
    """Weight of the squared distance of planned codes to those of the pictures (r3gan); where only classes are known,
    of what is added to the codes that the noise drew."""
    memory: bool = True
    """A fresh r3gan remembers captions with their pictures' codes or, where only classes are known, how the codes of
    each class are spread; without that it learns to plan codes, which takes hours instead of minutes."""
    plan_batch: int = 112
    """How many more pictures than `batch` codes are planned for at each step; far cheaper than drawing them."""
    adversarial: float = 0.05
    """Weight of the adversarial loss; 0 trains without a discriminator."""
    adversarial_from: int = 0
    """Step from which the discriminator plays."""
    adversarial_after: float = 0.0
    """Or the part of the run, by its steps, after which it plays."""
    adversary: losses.Adversary = "paired"
    """Form of the adversarial loss."""
    mismatch: float = 0.5
    """Weight of what the discriminator learns from true pictures with a caption or class of another."""
    r1: float = 1.0
    """Weight of the R1 penalty (gradients at real pictures)."""
    r2: float = 1.0
    """Weight of the R2 penalty (gradients at made pictures)."""
    penalty_every: int = 8
    """Steps between two penalties (each then weighs that many times more)."""
    augment: bool = True
    """Show the discriminator pictures that are moved, brightened and partly blank, true and made ones alike."""
    align: float = 1.0
    """Weight of the distance of what a sound or picture says to what the caption says."""
    drop_text: float = 0.05
    """How often a caption is withheld."""
    drop_class: float = 0.0
    """How often the class is withheld."""
    sound_share: float = 0.2
    """Part of the batch that is drawn among pictures with sounds."""
    image_share: float = 0.0
    """How often the network is shown the picture itself as a condition; 0 makes a network that cannot look."""


DEFAULTS = {
    "crop": 64,
    "lr": 1e-3,
    "betas": (0.5, 0.99),
    "ema": 0.998,
    "export": "last",
    "validate_every": 1000,
}
NET_DEFAULTS: dict[str, dict[str, Any]] = {
    "dcgan": {
        "batch": 64,
        "lr": 2e-4,
        "discriminator_lr": 4e-4,
        "betas": (0.5, 0.999),
        "optimizer": "adam",
        "schedule": "constant",
        "clip": 0.0,
        "pixel": 0.0,
        "perceptual": 0.0,
        "adversarial": 1.0,
        "adversary": "nonsaturating",
        "r1": 0.0,
        "r2": 0.0,
    },
}


def build(recipe: Recipe, device: torch.device) -> GenerateJob:
    """Make the job; raises ImgfixError for unusable pictures, models or sizes."""
    if recipe.input:
        raise UsageError("a generator does not learn from pairs", hint="imgfix train translate does")
    return GenerateJob(recipe, device)


class GenerateJob(NetJob):
    """See `imgfix.train.job.TrainJob`."""

    net: Any
    """One of several generators, see `_generator`."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self.options: Options = recipe.options or Options()
        options = self.options
        wanted = options.channels
        if recipe.model and not recipe.net_config:
            wanted = _channels_of(recipe.model)
        self.training, self.held, skipped = load_captioned(
            recipe.photos, side=recipe.crop, fraction=recipe.val_fraction, val=recipe.val, channels=wanted
        )
        told = any(item.texts for item in self.training.items)
        start, facts = starting_net(
            recipe,
            device,
            task="generate",
            key="r3gan",
            config=self._fresh_config(told),
            check={"native_size": recipe.crop},
        )
        self.net, self.key, self.config = _generator(start.net), start.key, start.config
        self._plans = isinstance(start.net, R3Generator) and bool(options.plan or options.copies)
        self._known_codes: Tensor | None = None
        if isinstance(start.net, R3Generator) and not recipe.model:
            some = torch.linspace(0, len(self.training) - 1, min(MOST_SETTLING, len(self.training))).long()
            held = start.net.settle(self.training.picture(some).to(device))
            facts.append(f"{start.net.codes} numbers hold {100 * held:.1f} % of the pictures' variance at half size")
        encoder = self.net.conditions
        if encoder.words is not None and not recipe.model:
            encoder.words.copy_from(self._words())
        self.words: WordTable | None = encoder.words
        self.classes: list[str] = list(encoder.classes)
        self.noise = self.net.noise
        self.bank = _Bank(self.training, self.words, self.classes)
        self.held_bank = _Bank(self.held, self.words, self.classes) if self.held else None
        self.discriminator = self._discriminator() if options.adversarial else None
        if self._plans and not recipe.model and isinstance(self.net.plan, CodeMemory):
            self._remember()
            facts.append(f"remembers {len(self.net.plan.keys)} captions")
        if isinstance(start.net, R3Generator) and isinstance(start.net.plan, CodeMixture):
            facts += self._find_clusters(start.net, start.net.plan)
        self.perceptual = losses.Perceptual(options.perceptual_model, device, jitter=4) if options.perceptual else None
        found = f"{len(self.training)} pictures of {recipe.crop} pixels, {self.training.channels} channels"
        heard = f"{len(self.training.heard)} with a sound" if self.training.heard else "none with a sound"
        unknown = sorted({w for t in self.bank.texts for w in split(t) if self.words and not self.words.knows(w)})
        self._facts = [
            f"{found}; {len(self.held) if self.held else 0} held out",
            f"{len(self.bank.texts)} captions, {len(self.classes)} classes, {heard}",
            *facts,
            *([f"{len(unknown)} words are not in the table, such as {', '.join(unknown[:5])}"] if unknown else []),
            *left_out(skipped),
        ]

    def _fresh_config(self, told: bool) -> dict[str, Any]:
        recipe, options, pool = self.recipe, self.options, self.training
        if not told and not pool.classes:
            raise UsageError(
                "the pictures have neither captions nor classes",
                hint="put a .txt beside each, write a metadata.jsonl, or sort them into a folder for each class",
            )
        table = self._words().config() if told and not (recipe.model and not recipe.net) else None
        captions = captions_of(pool)
        remembers = options.memory and recipe.net in (None, "r3gan")
        clusters = max(1, min(MOST_CLUSTERS, 256 // max(1, len(pool.classes))))
        axes = max(4, min(MOST_AXES, 8192 // max(1, clusters * len(pool.classes))))
        return {
            **({"memory": [len(captions), len(pool), len("\n".join(captions).encode())]} if remembers and told else {}),
            **({"mixture": [clusters, axes]} if remembers and not told else {}),
            "side": recipe.crop,
            "channels": pool.channels,
            "words": table,
            "classes": pool.classes,
            "sound": bool(pool.heard) and options.sound_share > 0,
            "image": options.image_share > 0,
        }

    def _words(self) -> WordTable:
        from imgfix import zoo

        net = zoo.load(self.options.words).net
        table = net if isinstance(net, WordTable) else getattr(getattr(net, "conditions", None), "words", None)
        if not isinstance(table, WordTable):
            raise UsageError(f"{self.options.words} holds no word vectors", hint="`settings.words=generate-stickers`")
        return table

    def _discriminator(self) -> nn.Module:
        asked = (self.words.size if self.words is not None else 0) + len(self.classes)
        side, channels = self.recipe.crop, self.training.channels
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed + 1)
            if self.key == "dcgan":
                judge: nn.Module = DCGANDiscriminator(side, channels, self.config.get("width", 64), asked)
            else:
                steps = side.bit_length() - 3
                widths = [32, 64, 112, 160, 192, 224][:steps]
                judge = R3Discriminator(side, channels, widths, asked)
        return judge.to(self.device)

    @torch.no_grad()
    def _remember(self) -> None:
        """Store every caption of every picture with its code; words that are learned later move away from it."""
        bank, net = self.bank, self.net
        owner = torch.repeat_interleave(torch.arange(len(self.training)), bank.count)
        captions = torch.arange(len(owner))
        given: Batch = {"words": bank.vectors(captions), "word_mask": bank.mask[captions]}
        if self.classes:
            given["class"] = bank.label[owner]
        given = {name: tensor.to(self.device) for name, tensor in given.items()}
        parts = torch.arange(len(owner)).split(1024)
        conditions = torch.cat([net.conditions({k: v[p] for k, v in given.items()}, len(p)) for p in parts])
        net.plan.remember(conditions, owner.to(self.device), self._codes(net).float(), captions_of(self.training))

    @torch.no_grad()
    def _find_clusters(self, net: R3Generator, plan: CodeMixture) -> list[str]:
        """Find how the codes of each class are spread, where nobody has yet; returns facts."""
        assert net.conditions.manner is not None
        net.conditions.manner.requires_grad_(False)  # classes are found by them
        if bool(plan.shares.any()):
            return []
        keys = net.conditions.manner.weight[: len(self.classes)]
        plan.settle(self._codes(net).float(), self.bank.label.to(self.device), keys, net.steps)
        return [f"{int((plan.shares > 0).sum())} clusters of codes in {len(self.classes)} classes"]

    def players(self, step: int) -> tuple[str, ...]:
        options = self.options
        begins = max(options.adversarial_from, int(options.adversarial_after * self.recipe.steps))
        return ("net", "discriminator") if self.discriminator is not None and step >= begins else ("net",)

    def sample(self, draw: Draw) -> Batch:
        rows = draw.batch + (self.options.plan_batch if self._plans and self.words is not None else 0)
        chance = draw.uniform(9, "captioned")
        if rows > draw.batch:
            more = torch.rand(rows - draw.batch, 9, generator=draw.cpu_generator, dtype=chance.dtype)
            chance = torch.cat((chance, more))
        return self._batch_from(chance, draw.cpu_generator)

    def _batch_from(self, chance: Tensor, generator: torch.Generator) -> Batch:
        pool, bank, options = self.training, self.bank, self.options
        numbers = (chance[:, 0] * len(pool)).long()
        heard = pool.heard
        if self.net.conditions.sound is not None and heard:
            among = torch.tensor(heard)[(chance[:, 0] * len(heard)).long()]
            numbers = torch.where(chance[:, 1] < options.sound_share, among, numbers)
        batch = self._asked_for(pool, bank, numbers, chance[:, 2], pictures=self.recipe.batch)
        batch["noise"] = self._noise(batch, torch.randn(len(numbers), self.noise, generator=generator))

        if "words" in batch:
            vectors, mask = batch["words"], batch["word_mask"]
            pieces = torch.rand(mask.shape, generator=generator) < 0.1  # so that unknown words mean something
            vectors = torch.where(pieces[..., None], bank.pieces(batch["caption"]), vectors)
            vectors = vectors + 0.1 * torch.randn(vectors.shape, generator=generator)
            kept = mask & (torch.rand(mask.shape, generator=generator) > 0.1)
            mask = torch.where(kept.any(1, keepdim=True), kept, mask)
        if self.net.conditions.sound is not None and heard:
            self._add_sounds(batch, numbers, chance, generator)
        if self.net.conditions.image is not None:
            batch["image"] = augment(batch["target"], generator)
            batch["has_image"] = chance[:, 6] < options.image_share
        if "words" in batch:
            other = batch.get("has_sound", torch.zeros(len(numbers), dtype=torch.bool))
            other = other | batch.get("has_image", torch.zeros_like(other))
            withheld = chance[:, 5] < torch.where(other, 0.6, options.drop_text)
            batch["words"], batch["word_mask"] = vectors, mask & ~withheld[:, None]
            batch["said"] = mask
            batch["trust"] = batch["trust"] * (batch["word_mask"].any(1) | other)
        if "class" in batch:
            batch["class"] = torch.where(chance[:, 7] < options.drop_class, -1, batch["class"])
        return {name: tensor.to(self.device) for name, tensor in batch.items()}

    def _asked_for(
        self, pool: CaptionedPool, bank: _Bank, numbers: Tensor, chance: Tensor, *, pictures: int | None = None
    ) -> Batch:
        """The pictures of these numbers with a caption each, their class, and what the discriminator is told."""
        seen = numbers if pictures is None else numbers[:pictures]
        batch: Batch = {"target": pool.picture(seen), "trust": bank.trust[numbers], "sector": bank.sectors[numbers]}
        batch["number"] = numbers
        asked = []
        if self.words is not None:
            caption = bank.first[numbers] + (chance * bank.count[numbers]).long()
            batch["caption"] = caption
            batch["words"], batch["word_mask"] = bank.vectors(caption), bank.mask[caption]
            count = batch["word_mask"].sum(1, keepdim=True).clamp_min(1)
            mean = (batch["words"] * batch["word_mask"][..., None]).sum(1) / count
            asked.append(F.normalize(mean, dim=1) * mean.shape[1] ** 0.5)
        if self.classes:
            batch["class"] = bank.label[numbers]
            asked.append(F.one_hot(batch["class"] + 1, len(self.classes) + 1)[:, 1:].float() * len(self.classes) ** 0.5)
        batch["asked"] = torch.cat(asked, 1)
        return batch

    def _noise(self, batch: Batch, noise: Tensor) -> Tensor:
        """Noise that chooses the very picture, where a caption has several."""
        if self.words is None:
            return noise
        sectors = min(len(self.classes) or SECTORS, self.noise)
        return steer(noise, batch["sector"].clamp_max(sectors - 1), sectors)

    def _add_sounds(self, batch: Batch, numbers: Tensor, chance: Tensor, generator: torch.Generator) -> None:
        """Give the pictures that have sounds a look at one of them, loud or soft, from any place of it."""
        pool = self.training
        looks = torch.full((len(numbers), 1, BANDS, FRAMES), -1.0)
        present = torch.zeros(len(numbers), dtype=torch.bool)
        for row, number in enumerate(numbers.tolist()):
            sounds = pool.sounds[number]
            if not sounds or chance[row, 3] > 0.7:
                continue
            sound = pool.spectrograms[sounds[int(chance[row, 4] * len(sounds))]]
            frames = sound.shape[1]
            begin = int(chance[row, 8] * max(1, frames - FRAMES // 2))
            piece = sound[:, begin : begin + FRAMES]
            place = int(torch.randint(0, FRAMES - piece.shape[1] + 1, (), generator=generator))
            looks[row, 0, :, place : place + piece.shape[1]] = piece
            present[row] = True
        shifts = torch.randint(-2, 3, (len(numbers),), generator=generator).tolist()
        looks = torch.stack([look.roll(shift, 1) for look, shift in zip(looks, shifts, strict=True)])
        softer = 0.3 * torch.rand(len(numbers), 1, 1, 1, generator=generator)
        hiss = 0.1 * torch.randn(looks.shape, generator=generator)
        batch["sound"], batch["has_sound"] = (looks - softer + hiss).clamp_min(-1), present

    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        return self._judged(networks, batch, step) if player == "discriminator" else self._drawn(networks, batch, step)

    def _drawn(self, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        options, net = self.options, _generator(networks["net"])
        found: dict[str, Tensor] = {}
        content, parts = net.conditions.content(batch, len(batch["noise"]))
        condition = net.conditions.join(content, batch)
        self._add_alignment(found, net, batch, parts)
        if not (options.pixel or options.perceptual or options.plan or self.discriminator is not None):
            return found  # only the audio encoder learns
        if self._plans:
            judged = "discriminator" in self.players(step)
            made, found = self._planned_and_copied(net, batch, condition, found, judged)
        else:
            made = net.draw(batch["noise"], condition).float()
        if not len(made):
            return found
        for name in ("target", "trust", "asked"):  # what follows looks at pictures that were drawn
            batch[name] = batch[name][: len(made)]
        target, trust = batch["target"], batch["trust"]
        batch["output"] = made.detach()
        self._add_distances(found, "", made, target, trust)
        if "discriminator" in self.players(step):
            judge = partial(networks["discriminator"], asked=batch["asked"])
            real = None
            if options.adversary in ("paired", "relativistic"):
                with torch.no_grad():
                    real = judge(self._seen(target))
            found["adversarial"] = options.adversarial * losses.fool(options.adversary, judge(self._seen(made)), real)
        return found

    def _planned_and_copied(
        self, net: Any, batch: Batch, condition: Tensor, found: dict[str, Tensor], judged: bool
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Draw the first pictures from plans and the others from their own codes; compare all plans with codes.

        Where neither a caption nor yet a discriminator says what is right, all are drawn from their own codes.
        """
        options, drawn = self.options, self.recipe.batch
        target = batch["target"]
        copied_only = options.copies > 0 and not judged and not bool(batch["trust"].any())
        begin = 0 if copied_only else drawn - round(drawn * options.copies)
        codes = self._codes(net)[batch["number"]].float()
        asked = torch.cat((batch["noise"], condition), 1)
        if isinstance(net.plan, CodeMixture):
            code, added = net.plan.parts(asked)
            plan, astray = code + added, added.square().mean()
        else:
            plan = net.plan(asked)
            astray = ((plan - codes).square().mean(1) * batch["trust"]).mean()
        if options.plan:
            found["plan"] = options.plan * astray
        if begin < drawn:
            copied = net.decode(codes[begin:drawn]).float()
            self._add_distances(found, "copy_", copied, target[begin:], torch.ones(len(copied), device=self.device))
        return net.decode(plan[:begin]).float() if begin else target[:0], found

    @torch.no_grad()
    def _codes(self, net: Any) -> Tensor:
        """Codes of all pictures; they follow from them alone, so they are computed only once."""
        if self._known_codes is None:
            parts = torch.arange(len(self.training)).split(256)
            found = [net.encode(self.training.picture(part).to(self.device)).half() for part in parts]
            self._known_codes = torch.cat(found)
        return self._known_codes

    def _add_distances(self, found: dict[str, Tensor], name: str, made: Tensor, target: Tensor, trust: Tensor) -> None:
        """Add L1 and LPIPS of those pictures that the condition decides, on a background of any grey or colour."""
        if self.options.pixel:
            distance = (made - target).abs().mean((1, 2, 3))
            found[f"{name}pixel"] = self.options.pixel * (distance * trust).mean()
        chosen = trust > 0.5
        if self.perceptual is not None and bool(chosen.any()):
            back = torch.rand(len(target), 3, 1, 1, device=target.device)[chosen]
            distance = self.perceptual(shown(made[chosen], back), shown(target[chosen], back))
            found[f"{name}perceptual"] = self.options.perceptual * chosen.float().mean() * distance

    def _add_alignment(self, found: dict[str, Tensor], net: Any, batch: Batch, parts: dict[str, Tensor]) -> None:
        """Add how far what a sound or picture says is from what the caption says."""
        if not self.options.align or "said" not in batch:
            return
        for name in ("sound", "image"):
            if name not in parts:
                continue
            both = batch[f"has_{name}"] & batch["said"].any(1)
            if bool(both.any()):
                with torch.no_grad():
                    said = net.conditions.text(batch["words"][both], batch["said"][both])
                difference = parts[name][both] - said
                found[f"align_{name}"] = self.options.align * difference.square().mean() * both.float().mean()

    def _judged(self, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        options, asked = self.options, batch["asked"]
        judge = partial(networks["discriminator"], asked=asked)
        real, fake = self._seen(batch["target"]), self._seen(batch["output"])
        of_real = judge(real)
        found = {"judge": losses.judge(options.adversary, judge(fake), of_real)}
        if options.mismatch and len(asked) > 1:
            other = networks["discriminator"](real, asked=asked.roll(1, 0))
            if options.adversary in ("paired", "relativistic"):
                found["mismatch"] = options.mismatch * losses.judge("paired", other, of_real)
            else:
                found["mismatch"] = options.mismatch * F.softplus(other.float()).mean()
        if step % options.penalty_every == 0:
            for name, weight, pictures in (("r1", options.r1, real), ("r2", options.r2, fake)):
                if weight:
                    penalty = losses.gradient_penalty(judge, pictures)
                    found[name] = weight * options.penalty_every * penalty
        return found

    def _seen(self, pictures: Tensor) -> Tensor:
        """What the discriminator sees."""
        return augment(pictures) if self.options.augment else pictures

    def validate(self, net: nn.Module) -> Validation:
        rows = min(self.recipe.sheet_rows, len(self.training))
        known = torch.linspace(0, len(self.training) - 1, rows).long()
        samples = {}
        batch, outputs = self._drawn_for(net, self.training, self.bank, known)
        samples["trained on"], samples["drawn"] = batch["target"], outputs
        samples["otherwise"] = self._drawn_for(net, self.training, self.bank, known, seed=1, free=True)[1]
        if self.held is None or self.held_bank is None:
            metrics = self._distance(batch, outputs)
        else:
            numbers = torch.arange(min(len(self.held), self.recipe.val_limit))
            batch, outputs = self._drawn_for(net, self.held, self.held_bank, numbers)
            metrics = self._distance(batch, outputs)
            samples["held out"], samples["drawn for it"] = batch["target"][:rows], outputs[:rows]
        if self._plans:
            whole = _generator(net)
            samples["own code"] = whole.decode(whole.encode(batch["target"][:rows])).clamp(0, 1)
        samples = {name: shown(pictures).clamp(0, 1) for name, pictures in samples.items()}
        return Validation(metrics, -next(iter(metrics.values())), samples)

    def _distance(self, batch: Batch, outputs: Tensor) -> dict[str, float]:
        """LPIPS or the mean error where captions say what to draw; else how far the pixels' statistics are off."""
        target = batch["target"]
        if float(batch["trust"].mean()) < 0.5:
            small = [F.adaptive_avg_pool2d(p, 8).flatten(1) for p in (target, outputs)]
            mean, spread = small[0].mean(0) - small[1].mean(0), small[0].std(0) - small[1].std(0)
            return {"statistics": float(mean.abs().mean() + spread.abs().mean())}
        found = {"l1": float((outputs - target).abs().mean())}
        if self.perceptual is not None:
            distance = self.perceptual.distance(shown(outputs).clamp(0, 1), shown(target))
            found = {"lpips": float(distance.mean()), **found}
        return found

    def _drawn_for(
        self, net: nn.Module, pool: CaptionedPool, bank: _Bank, numbers: Tensor, seed: int = 0, free: bool = False
    ) -> tuple[Batch, Tensor]:
        batch = self._asked_for(pool, bank, numbers, torch.zeros(len(numbers)))
        noise = torch.randn(len(numbers), self.noise, generator=torch.Generator().manual_seed(seed))
        batch["noise"] = noise if free else self._noise(batch, noise)
        if free and "class" in batch and self.words is not None:
            batch["class"] = (batch["class"] + 1) % len(self.classes)
        batch = {name: tensor.to(self.device) for name, tensor in batch.items()}
        parts = [
            net(batch["noise"][i : i + 64], {k: v[i : i + 64] for k, v in batch.items()})
            for i in range(0, len(numbers), 64)
        ]
        return batch, torch.cat(parts).float().clamp(0, 1)

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        columns = {"input": shown(batch["noise"][:, : 64 // 8 * 8].reshape(-1, 1, 8, 8) / 6 + 0.5)}
        if "sound" in batch:
            columns["input"] = shown(batch["sound"] / 2 + 0.5)
        return columns | {"target": shown(batch["target"])}

    def identity(self) -> NetIdentity:
        return NetIdentity(self.key, self.config, {"task": "generate"})


def captions_of(pool: CaptionedPool) -> list[str]:
    """Every caption of every picture, as a memory keeps them: one line each, an empty one for a picture without any."""
    return [" ".join(text.split()) for item in pool.items for text in (item.texts or ("",))]


class _Bank:
    """Captions of a pool as vectors, and what decides how a picture is asked for."""

    def __init__(self, pool: CaptionedPool, words: WordTable | None, classes: list[str]) -> None:
        ranks, sizes = rank_in_group(pool.items)
        places = {name: number for number, name in enumerate(classes)}
        labels = [places.get(item.label or "", -1) for item in pool.items]
        self.label = torch.tensor(labels)
        self.sectors = torch.tensor([max(label, 0) for label in labels] if classes else [r % SECTORS for r in ranks])
        choices = 1 if classes else SECTORS
        # A caption with more pictures than a seed can tell apart has no picture that would be the right one.
        captioned = torch.tensor([bool(item.texts) for item in pool.items])
        self.trust = (choices / torch.tensor(sizes)).clamp(max=1.0) * captioned
        texts = list(dict.fromkeys(text for item in pool.items for text in (item.texts or ("",))))
        self.texts = [text for text in texts if text]
        if words is None:
            return
        vectors = torch.zeros(len(texts), MOST_WORDS, words.size)
        pieces = torch.zeros_like(vectors)
        self.mask = torch.zeros(len(texts), MOST_WORDS, dtype=torch.bool)
        for row, text in enumerate(texts):
            if split(text):
                found = words.embed(text)
                vectors[row, : len(found)] = found
                self.mask[row, : len(found)] = True
                for column, word in enumerate(split(text)[:MOST_WORDS]):
                    rows = [place % words.pieces.shape[0] for place in pieces_of(word)]
                    pieces[row, column] = words.pieces[rows].float().mean(0).cpu() * float(words.scales[1])
        self._vectors, self._pieces = vectors.half(), pieces.half()
        order = {text: row for row, text in enumerate(texts)}
        flat = [order[text] for item in pool.items for text in (item.texts or ("",))]
        self._flat = torch.tensor(flat)
        self.count = torch.tensor([max(1, len(item.texts)) for item in pool.items])
        self.first = self.count.cumsum(0) - self.count
        self.mask = self.mask[self._flat]

    def vectors(self, caption: Tensor) -> Tensor:
        """Word vectors of captions: (N, MOST_WORDS, size)."""
        return self._vectors[self._flat[caption]].float()

    def pieces(self, caption: Tensor) -> Tensor:
        """The same words put together from their pieces."""
        return self._pieces[self._flat[caption]].float()


def _generator(net: nn.Module) -> Any:
    """A network as a generator; compiled ones hide their class, so only a fresh one is checked.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(net, DCGANGenerator | R3Generator) or hasattr(net, "_orig_mod"):
        return net
    raise UsageError(f"a {type(net).__name__} is not a generator", hint="choose `net` r3gan or dcgan")


def _channels_of(model: str) -> int:
    from imgfix import zoo

    return zoo.load(model).descriptor.out_channels
