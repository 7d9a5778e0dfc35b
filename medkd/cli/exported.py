"""Inference with an exported network: a command that needs neither torch nor PyYAML."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["infer_exported", "names_onnx"]


def names_onnx(words: Sequence[str]) -> bool:
    """Return whether the words after ``infer`` name an ONNX file as the model.

    Example:
        >>> names_onnx(["--model", "student.onnx"]), names_onnx(["kits19", "--model=RUN"])
        (True, False)
    """
    pairs = zip(words, [*words, ""][1:], strict=True)
    models = [word.partition("=")[2] or after for word, after in pairs if word.partition("=")[0] == "--model"]
    return any(model.lower().endswith(".onnx") for model in models)


def infer_exported(words: Sequence[str]) -> None:
    """Predict with an exported network.

    Args:
        words: the words after ``infer``; `medkd.deploy.runtime` reads them.
    """
    from medkd.configs.bundles import tasks
    from medkd.deploy.runtime import infer_command

    infer_command(["infer", *words], tasks())
