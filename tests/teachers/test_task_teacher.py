"""The configuration's `trained_with` reaches the teacher."""

import medkd.teachers.task_teacher as module
from medkd.teachers import load_task_teacher


def test_properties_of_the_task_reach_load_teacher(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "load_teacher", lambda *args, **options: calls.append((args, options)))
    trained_with = {"mode": "3d", "window": [-200, 300], "per_case": True, "spacing": [3, 1, 1], "channels": ["t1"]}
    load_task_teacher("path", "network", 2, trained_with, [0, 1, 0, 1], [0, 1], "logits", ["t1"])
    load_task_teacher("path", "network", 2, {"image_size": [8, 8]})
    args, expected = ("path", "network", 2), {"intensity": None, "classes": None, "window": None, "spacing": None}
    assert calls[1] == (
        args,
        {**expected, "per_case": False, "output": "auto", "channels": None, "channel_names": None},
    )
    properties = {
        "channels": ["t1"],
        "channel_names": ["t1"],
        "window": [-200, 300],
        "per_case": True,
        "spacing": [3, 1, 1],
    }
    assert calls[0] == (args, {"intensity": [0, 1, 0, 1], "classes": [0, 1], "output": "logits", **properties})
