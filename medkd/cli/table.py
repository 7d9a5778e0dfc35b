"""The table of options: ids of the bundles' configurations that users set, and what they mean."""

from __future__ import annotations

from .option import Option

__all__ = ["COMMON_IDS", "ID_OPTIONS", "option_of"]

_OPTIONS = (
    # paths
    Option("dataset_dir", "path", "Folder of the prepared data set."),
    Option("output_dir", "path", "Folder for the results; it must not hold an earlier run."),
    Option("model", "path", "Folder of a run, or its model.pt."),
    Option("input", "path", "An image, a DICOM series, or a folder of images."),
    Option(
        "teacher", "paths", "The teacher: folder of a run, MONAI bundle, TorchScript file, nnU-Net folder, or several."
    ),
    Option("false_pixel_assistant", "path", "PLC-KD's false-pixel assistant: folder of its run."),
    Option("boundary_assistant", "path", "PLC-KD's boundary assistant: folder of its run."),
    Option("bundle_root", "path", "Folder of the bundle."),
    Option("imagenet21k", "path", "Official R50+ViT-B_16.npz that TransUNet starts from.", nullable=True),
    Option("soft_labels_dir", "path", "Folder of the cached soft labels."),
    Option("mlflow", "path", "Folder, or URI of a tracking server, for MLflow as well.", nullable=True),
    # the task
    Option("target", "text", "The classes: tumour, organ or both; of own volumes all, or the name of one class."),
    Option("window", "window", "Lowest and highest intensity, scaled to -1..1.", example="[-200,300]"),
    Option("image_size", "list", "Rows and columns of the network's input.", example="[64,64]"),
    Option("patch_size", "list", "Slices, rows and columns of a patch.", example="[32,64,64]", mode="3d"),
    Option(
        "spacing",
        "list",
        "Spacing in mm that volumes are resampled to: slices, rows, columns.",
        example="[3.0,0.8,0.8] (or None: as they are)",
        nullable=True,
        mode="3d",
    ),
    Option("protocol", "text", "How cases are evaluated.", choices=("whole", "hlfd")),
    Option("part", "text", "The split that is evaluated.", choices=("training", "validation", "test")),
    # training
    Option("max_epochs", "count", "Epochs of the training."),
    Option("batch_size", "count", "Images of a batch, of each process."),
    Option("learning_rate", "number", "Learning rate at the start."),
    Option("teacher_learning_rate", "number", "Learning rate of a teacher at the start."),
    Option("seed", "whole", "Seed of everything that is random."),
    Option("training_cases", "whole", "Number of cases to train on, drawn by the seed; None: all.", nullable=True),
    Option("resume", "truth", "Continue the run of the output folder."),
    Option("val_interval", "count", "Epochs between validations."),
    Option("patience", "number", "Validations without gain before training stops; None: never.", nullable=True),
    Option("accumulation_steps", "count", "Batches whose gradients are added up before a step."),
    Option("clip_norm", "number", "Largest norm of the gradient; None: no limit.", nullable=True),
    Option("cache_rate", "number", "Share of the images that is kept in memory."),
    Option("patches_per_case", "count", "Patches of a case in an epoch."),
    Option("positive", "number", "Share of patches around a voxel of the target."),
    # networks and method
    Option("student_width", "number", "Channels of the student's first stage."),
    Option("teacher_width", "number", "Channels of the teacher's first stage."),
    Option("teacher_layers", "number", "Layers of the teacher's Transformer."),
    Option("method", "text", "Distillation method: one of `medkd methods`."),
    Option("method_args", "mapping", "Arguments of the method; one alone: --method_args::NAME VALUE."),
    Option("teacher_intensity", "list", "Intensities of an external teacher: a_min a_max b_min b_max.", nullable=True),
    Option("teacher_classes", "list", "Class of the task for each channel of an external teacher.", nullable=True),
    # assistants
    Option("init", "text", "Initial weights of an assistant.", choices=("teacher", "scratch")),
    Option("freeze_norm", "truth", "Keep the batch statistics of the teacher."),
    Option("queue_capacity", "count", "Pixels of a class that the queue keeps."),
    Option("pixels_per_image", "count", "False pixels of a class that an image adds."),
    Option("mix_real", "number", "Share of images that stay real."),
    Option("fill_epochs", "number", "Epochs in which the queue is filled."),
    Option("boundary_width", "number", "Width of the exchanged band, in pixels."),
    Option("boundary_ratio", "number", "Share of the band that is exchanged."),
    # use
    Option("device", "text", "Device of PyTorch, such as cpu or cuda:0."),
    Option("amp", "truth", "Mixed precision."),
    Option("num_workers", "whole", "Processes that load data."),
    Option("slice_batch", "count", "Slices that are predicted at once.", mode="2d"),
    Option("window_batch", "count", "Windows that are predicted at once."),
    Option("overlap", "number", "Overlap of neighbouring windows, from 0 to below 1."),
    Option("save_probabilities", "truth", "Write the probabilities of the classes as well."),
    # figures
    Option("runs", "mapping", "Title and folder of each run to compare; see also --run."),
    Option("cases", "any", "Names of the cases to show; None: chosen by their errors.", nullable=True),
    Option("count", "count", "Number of cases to show."),
    # computed from the data set
    *(Option(name, "computed", "") for name in ("classes", "values", "num_classes", "foreground", "per_case")),
)
ID_OPTIONS = {option.name: option for option in _OPTIONS}
# What most users set: a help text lists these ids first.
COMMON_IDS = (
    *("method", "method_args", "teacher", "model", "input", "target", "window", "image_size", "patch_size", "spacing"),
    *("max_epochs", "batch_size", "learning_rate", "student_width", "teacher_width", "seed", "training_cases"),
    *("resume", "part", "protocol", "save_probabilities", "device"),
)


def option_of(name: str) -> Option | None:
    """Return the table's entry of an id; a nested id such as ``team_figures::output_dir`` has that of its last part."""
    option = ID_OPTIONS.get(name) or ID_OPTIONS.get(name.split("::")[-1])
    return option if option is None or option.name == name or option.kind in ("path", "paths") else None
