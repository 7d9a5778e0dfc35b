"""The devices of these tests: CUDA, and where a test is cheap the CPU too, so that its own logic is tested everywhere."""

import pytest
import torch


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device: none is here"))


@pytest.fixture(autouse=True)
def _float32_without_tf32():
    """Compute float32 convolutions in float32: cuDNN would round their factors to 10 bits."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before
