"""The team: T's features with correct logits, its assistants, its control and its memory."""

import torch

from medkd.correction import Correction, TeacherTeam, TeamOutputs, correct_soft_labels, is_correct
from tests.plckd.builders import make_images, make_network, make_taps


def make_balanced_taps(seed, image):
    """A network that gives half of the pixels to each class."""
    taps = make_taps(seed)
    with torch.no_grad():
        logits = taps(image).logits
        taps.network.head.bias[1] -= (logits[:, 1] - logits[:, 0]).median()
    return taps


def test_the_team_gives_the_features_of_its_teacher_with_correct_logits():
    x, y = make_images()
    team = TeacherTeam(make_taps(), make_network(1).eval(), make_network(2).eval())
    with torch.no_grad():
        features, plain = team(x, y), team.teacher(x)
    assert torch.equal(features.logits.argmax(1, keepdim=True), y)
    assert all(torch.equal(a, b) for a, b in zip(features.decoder, plain.decoder, strict=True))
    right = is_correct(torch.softmax(plain.logits, 1), y).expand_as(plain.logits)
    torch.testing.assert_close(torch.softmax(features.logits, 1)[right], torch.softmax(plain.logits, 1)[right])
    lonely = TeacherTeam(make_taps())
    lonely(x, y)
    assert sum(lonely.correction.tally.values()) == int((~right[:, :1]).sum()) > 0


def test_each_assistant_has_its_stage_and_similarity_reads_the_penultimate_map():
    x, y = make_images()
    team = TeacherTeam(make_balanced_taps(0, x), make_balanced_taps(1, x).network, make_balanced_taps(2, x).network)
    with torch.no_grad():
        features, result = team.teacher(x), team.soft_labels(x, y)
        first, second = (torch.softmax(net(x), 1) for net in (team.false_pixel, team.boundary))
    initial = torch.softmax(features.logits, 1)
    expected = correct_soft_labels(initial, y, first, second, features.decoder[-1])
    assert all(torch.equal(a, b) for a, b in zip(result, expected, strict=True))
    assert not torch.equal(result.false_pixel, correct_soft_labels(initial, y, second, first).false_pixel)
    assert not torch.equal(result.ultimate, correct_soft_labels(initial, y, first, second, features.logits).ultimate)


def test_max_candidates_reaches_the_similarity_correction():
    x, y = make_images()
    with torch.no_grad():
        features = make_balanced_taps(0, x)(x)
        results = []
        for limit in (None, 3):
            team = TeacherTeam(make_balanced_taps(0, x), max_candidates=limit)
            torch.manual_seed(0)
            results.append(team.soft_labels(x, y).ultimate)
            torch.manual_seed(0)
            initial = torch.softmax(features.logits, 1)
            expected = correct_soft_labels(initial, y, None, None, features.decoder[-1], max_candidates=limit)
            assert torch.equal(results[-1], expected.ultimate)
    assert not torch.equal(*results)


def test_a_correction_is_in_float32_under_autocast():
    x, y = make_images()
    with torch.no_grad():
        features = make_balanced_taps(0, x)(x)
        outputs = TeamOutputs(features.logits, embedding=features.decoder[-1])
        plain = Correction()(outputs, y).ultimate
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(Correction()(outputs, y).ultimate, plain)


def test_swap_needs_no_assistants():
    x, y = make_images()
    with torch.no_grad():
        team, plain = TeacherTeam(make_taps(), swap=True)(x, y), torch.softmax(make_taps()(x).logits, 1)
    torch.testing.assert_close(torch.softmax(team.logits, 1).sort(1).values, plain.sort(1).values)
    assert torch.equal(team.logits.argmax(1, keepdim=True), y)


def test_a_correction_remembers_earlier_batches():
    correction = Correction()
    first = torch.tensor([[2.0, -2.0], [-1.0, 1.0]]).T[None, :, None]
    correction(TeamOutputs(first), torch.tensor([0, 1])[None, None, None])
    lost = torch.tensor([[3.0, -3.0], [3.0, -3.0]]).T[None, :, None]
    labels = correction(TeamOutputs(lost), torch.ones(1, 1, 1, 2, dtype=torch.long))
    assert correction.tally == {"memory": 2}
    torch.testing.assert_close(labels.ultimate[0, :, 0, 0], torch.softmax(torch.tensor([-1.0, 1.0]), 0))
    correction.memory.forget()
    labels = correction(TeamOutputs(lost), torch.ones(1, 1, 1, 2, dtype=torch.long))
    torch.testing.assert_close(labels.ultimate[0, :, 0, 0], torch.softmax(torch.tensor([-3.0, 3.0]), 0))


def test_images_without_labels_keep_the_soft_labels_of_the_teacher():
    x, y = make_images()
    team = TeacherTeam(make_balanced_taps(0, x), make_network(1).eval(), make_network(2).eval())
    placeholder, some = y.clone(), torch.tensor([0, 3])
    placeholder[1:3] = 1 - placeholder[1:3]
    with torch.no_grad():
        mixed, plain = team(x, placeholder, some), team.teacher(x)
        memory = team.correction.memory.rows.clone()
        team.start_epoch()
        alone = team(x[some], y[some])
    assert torch.equal(mixed.logits[1:3], plain.logits[1:3])
    assert torch.equal(mixed.logits[some], alone.logits) and torch.equal(memory, team.correction.memory.rows)
    with torch.no_grad():
        assert torch.equal(team(x, placeholder, some[:0]).logits, plain.logits)
