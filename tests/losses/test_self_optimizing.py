"""The interface of losses that train a part of themselves."""

import pytest

from medkd.losses import HolisticLoss, SelfOptimizing


def test_a_loss_without_a_step_is_refused_at_its_first_step():
    with pytest.raises(NotImplementedError):
        SelfOptimizing().step()


def test_the_holistic_loss_has_the_interface():
    assert issubclass(HolisticLoss, SelfOptimizing)
    assert HolisticLoss.step is not SelfOptimizing.step
