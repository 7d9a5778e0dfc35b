"""Two processes: both fill the queue of false pixels from the images of both."""

import pytest
import torch
from torch import distributed, nn

from medkd.correction import FalsePixelQueue
from medkd.plckd import FalsePixelBatches


class Fooled(nn.Module):
    """Says lesion where the image is above 0.5."""

    def forward(self, image):
        return torch.cat([0.5 - image, image - 0.5], dim=1)


def batch():
    """Four images whose pixels are all different, and labels that have nothing to do with them."""
    image = torch.randperm(4 * 36, generator=torch.Generator().manual_seed(0)).reshape(4, 1, 6, 6) / (4 * 36)
    return image, torch.randint(0, 2, (4, 1, 6, 6), generator=torch.Generator().manual_seed(1))


def work(rank, port, results):
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    torch.manual_seed(rank)
    queue, (image, label) = FalsePixelQueue(1, 2, 500), batch()
    mine = slice(2 * rank, 2 * rank + 2)
    synthetic, _ = FalsePixelBatches(Fooled(), queue, k=36)({"image": image[mine], "label": label[mine]}, "cpu")
    results.put((rank, queue.filled.tolist(), queue.slots[:, :-1].tolist(), synthetic.flatten().tolist()))
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(two_processes):
    return two_processes(work)


def test_the_queue_holds_the_false_pixels_of_both_and_is_the_same_in_both(ranks):
    image, label = batch()
    incorrect = (image > 0.5).long() != label
    for _, filled, slots, _ in ranks:
        for k in range(2):
            pixels = image[incorrect & (label == k)]
            assert filled[k] == len(pixels)
            assert sorted(x for (x,) in slots[k][: filled[k]]) == pytest.approx(sorted(pixels.tolist()))
    assert ranks[0][1:3] == ranks[1][1:3]


def test_a_made_image_has_false_pixels_of_the_other_process_too(ranks):
    image, label = batch()
    incorrect = (image > 0.5).long() != label
    for rank, _, _, synthetic in ranks:
        theirs = image[2 - 2 * rank : 4 - 2 * rank][incorrect[2 - 2 * rank : 4 - 2 * rank]].tolist()
        assert any(abs(x - y) < 1e-6 for x in synthetic for y in theirs)
