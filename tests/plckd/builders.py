"""Small networks, images and trainers for the tests of the team."""

import torch
from monai.data import DataLoader
from monai.losses import DiceCELoss

from medkd import methods
from medkd.engines import DistillationTrainer
from medkd.networks import FeatureTaps, UNet


def make_network(seed=0, width=2):
    torch.manual_seed(seed)
    return UNet(2, 1, 2, width=width)


def make_taps(seed=0):
    net = make_network(seed)
    return FeatureTaps(net, **net.default_taps()).eval()


def make_images(count=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(count, 1, 32, 32, generator=generator)
    return x, (torch.nn.functional.avg_pool2d(x, 5, 1, 2) > 0.5).long()


def make_loader(count=4):
    return DataLoader([{"image": i, "label": y} for i, y in zip(*make_images(count), strict=True)], batch_size=2)


def make_trainer(net, batches, queue=None, **options):
    taps = FeatureTaps(net, **net.default_taps())
    loss = methods.build("none", DiceCELoss(softmax=True, to_onehot_y=True), taps)
    optimizer = torch.optim.SGD(taps.parameters(), lr=0.1)
    handlers = [batches] if hasattr(batches, "attach") else []
    return DistillationTrainer(
        "cpu", 1, make_loader(), taps, optimizer, loss, prepare_batch=batches, train_handlers=handlers, **options
    )
