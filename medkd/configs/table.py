"""The table of options: ids of the bundles' configurations that users set, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .option import Option
from .plain import as_literal

__all__ = ["COMMON_IDS", "ID_OPTIONS", "data_as_literals", "option_of"]

_WIDEST = 65536  # channels
_OPTIONS = (
    # paths
    Option("dataset_dir", "path", "Folder of the prepared data set."),
    Option("output_dir", "path", "Folder for the results; it must not hold an earlier run."),
    Option("model", "path", "Folder of a run, or its model.pt."),
    Option("input", "path", "An image, a DICOM series, or a folder of images."),
    Option(
        "teacher",
        "paths",
        "Teacher: folder of a run, MONAI bundle, TorchScript file or nnU-Net folder; or several.",
    ),
    Option("false_pixel_assistant", "path", "PLC-KD's false-pixel assistant: folder of its run."),
    Option("boundary_assistant", "path", "PLC-KD's boundary assistant: folder of its run."),
    Option("bundle_root", "path", "Folder of the bundle."),
    Option(
        "imagenet21k", "path", "Official checkpoint R50+ViT-B_16.npz, the initial weights of TransUNet.", nullable=True
    ),
    Option("soft_labels_dir", "path", "Folder of the cached soft labels."),
    Option("mlflow", "path", "Folder or tracking URI for logging to MLflow as well.", nullable=True),
    # the task
    Option("target", "text", "Classes: tumour, organ or both; for nifti and pictures, all or the name of one class."),
    Option(
        "window",
        "window",
        "Lowest and highest intensity, which are scaled to -1 and 1; of several channels a pair for each.",
        example="[-200,300]",
    ),
    Option("resample_channels", "truth", "Resample channels on another grid than the first onto it.", images="volumes"),
    Option("image_size", "sizes", "Rows and columns of the network's input.", example="[64,64]"),
    Option(
        "patch_size",
        "sizes",
        "Slices, rows and columns of a training patch.",
        example="[32,64,64]",
        mode="3d",
        images="volumes",
    ),
    Option(
        "spacing",
        "numbers",
        "Voxel spacing in mm to which volumes are resampled: slices, rows, columns.",
        example="[3.0,0.8,0.8] (or None: as they are)",
        nullable=True,
        mode="3d",
        images="volumes",
    ),
    Option(
        "protocol",
        "text",
        "All slices, or those with the target alone (HLFD's).",
        choices=("whole", "hlfd"),
        images="volumes",
    ),
    Option(
        "metrics",
        "names",
        "Further metrics of whole test cases, beside Dice, IoU, RVD and HD95.",
        choices=("nsd", "ece", "lesions"),
    ),
    Option("nsd_mm", "number", "Tolerance of the metric nsd in mm, in pixels of pictures.", least=0, metavar="MM"),
    Option("largest_component", "truth", "Keep the largest connected component of each class in a prediction."),
    Option(
        "min_volume",
        "number",
        "Remove connected components below this volume: ml, or pixels of pictures.",
        least=0,
        metavar="ML",
    ),
    Option("part", "text", "Split that is evaluated.", choices=("training", "validation", "test")),
    # training
    Option("max_epochs", "count", "Number of training epochs."),
    Option("batch_size", "count", "Batch size of each process."),
    Option("learning_rate", "number", "Initial learning rate."),
    Option("teacher_learning_rate", "number", "Initial learning rate of a teacher."),
    Option("seed", "whole", "Seed of all random number generators."),
    Option(
        "training_cases",
        "whole",
        "Number of labelled training cases, chosen at random; None: all; 0: none, a student of unlabelled images.",
        nullable=True,
    ),
    Option(
        "unlabelled",
        "text",
        "Images without labels that the student learns from as well: none; data: those that the data set lists; rest: the "
        "training cases that --training_cases leaves out; all: both.",
        choices=("none", "data", "rest", "all"),
    ),
    Option("unlabelled_share", "number", "Fraction of unlabelled images in each batch.", least=0, most=1),
    Option("resume", "truth", "Resume the run in the output folder."),
    Option("val_interval", "count", "Number of epochs between validations."),
    Option(
        "patience",
        "number",
        "Validations without improvement before training stops; None: never.",
        nullable=True,
    ),
    Option("accumulation_steps", "count", "Number of batches whose gradients are accumulated for one optimizer step."),
    Option("clip_norm", "number", "Maximum norm of the gradient; None: no clipping.", nullable=True),
    Option("cache_rate", "number", "Fraction of the images that is cached in memory.", images="pictures"),
    Option("patches_per_case", "count", "Number of patches sampled from a case in an epoch.", images="volumes"),
    Option(
        "positive", "number", "Fraction of patches that are sampled around a voxel of the target.", images="volumes"
    ),
    Option(
        "augmentation",
        "text",
        "Random transforms: paper (flips, rotations by 90 degrees), or strong (also rotation, scaling, brightness, gamma, low "
        "resolution).",
        choices=("paper", "strong"),
    ),
    Option(
        "flip_axes",
        "words",
        "Axes that are flipped at random: one or several of slices, rows, columns; None: none.",
        choices=("slices", "rows", "columns"),
        choices_3d=("slices",),
        nullable=True,
        metavar="AXIS ...",
    ),
    # networks and method
    Option("student_architecture", "text", "Network of the student.", choices=("UNet", "ResNetFCN")),
    Option("teacher_architecture", "text", "Network of the teacher.", choices=("TransUNet", "UNetPlusPlus")),
    Option("student_width", "count", "Channels of the student's first stage.", most=_WIDEST),
    Option("teacher_width", "count", "Channels of the teacher's first stage.", most=_WIDEST),
    Option("teacher_layers", "count", "Number of Transformer layers of the teacher.", most=1000),
    Option("method", "text", "Distillation method: one of `medkd methods`."),
    Option("method_args", "mapping", "Arguments of the method; a single one: --method_args::NAME VALUE."),
    Option(
        "teacher_intensity",
        "list",
        "Intensity scaling of an external teacher: a_min a_max b_min b_max; zscore or minmax of each image as the student sees "
        "it; unscaled.",
        choices=("zscore", "minmax", "unscaled"),
        nullable=True,
        example="[-100,240,0,1]",
        metavar="A_MIN A_MAX B_MIN B_MAX|zscore|minmax|unscaled",
    ),
    Option(
        "teacher_classes", "list", "Class of the task for each output channel of an external teacher.", nullable=True
    ),
    Option(
        "teacher_channels",
        "names",
        "Name or number of the task's channel for each input channel of an external teacher.",
        nullable=True,
    ),
    Option(
        "teacher_output",
        "text",
        "Output of an external teacher: logits, or probabilities, whose logarithm is taken; auto: logits, and probabilities "
        "are refused.",
        choices=("auto", "logits", "probabilities"),
    ),
    Option(
        "teacher_spacing",
        "list",
        "Voxel spacing in mm of the teacher, where its soft labels are cached: slices, rows, columns.",
        nullable=True,
        example="[3.0,0.8,0.8]",
        mode="3d",
    ),
    Option(
        "teacher_patch_size",
        "list",
        "Slices, rows and columns of the teacher's windows, where its soft labels are cached.",
        nullable=True,
        example="[64,128,128]",
        mode="3d",
    ),
    # assistants
    Option("init", "text", "Initial weights of an assistant.", choices=("teacher", "scratch")),
    Option("freeze_norm", "truth", "Keep the batch statistics of the teacher."),
    Option("queue_capacity", "count", "Number of pixels per class that the queue stores."),
    Option("pixels_per_image", "count", "Number of false pixels per class that an image adds to the queue."),
    Option("mix_real", "number", "Fraction of training images that stay real."),
    Option("fill_epochs", "number", "Number of epochs in which the queue is filled."),
    Option("boundary_width", "number", "Width of the exchanged band, in pixels."),
    Option("boundary_ratio", "number", "Fraction of the band that is exchanged."),
    # use
    Option("device", "text", "Device of PyTorch, such as cpu or cuda:0."),
    Option(
        "amp",
        "truth",
        "Mixed precision: float16 on CUDA, else bfloat16; auto: on CUDA alone.",
        choices=("auto",),
        metavar="True|False|auto",
    ),
    Option(
        "memory_format",
        "text",
        "Memory layout of networks and batches in a training; auto: channels_last on CPUs, unless oneDNN would crash "
        "with the network.",
        choices=("auto", "channels_last", "contiguous"),
    ),
    Option("compile", "truth", "Compile the student by torch.compile, during its first step."),
    Option("num_workers", "whole", "Number of processes that load data."),
    Option("slice_batch", "count", "Number of slices that are predicted at once.", mode="2d", images="volumes"),
    Option("window_batch", "count", "Number of windows that are predicted at once.", images="volumes"),
    Option("overlap", "number", "Overlap of neighbouring windows, at least 0 and below 1.", images="volumes"),
    Option("save_probabilities", "truth", "Also save the probabilities of the classes."),
    Option(
        "convert",
        "truth",
        "Convert pictures of another form (grey, RGB, bits) than those of the training.",
        images="pictures",
    ),
    Option(
        "format",
        "text",
        "Format of predicted volumes: NIfTI, 3D Slicer's segmentations, or DICOM-SEG (of DICOM series).",
        choices=("nifti", "seg.nrrd", "dicom-seg"),
        images="volumes",
    ),
    Option(
        "dicom_seg",
        "text",
        "Kind of DICOM-SEG: one bit for each voxel and class, which readers know best, or label maps.",
        choices=("binary", "labelmap"),
        images="volumes",
    ),
    Option(
        "dicom_codes",
        "path",
        "JSON file with the codes of the classes in DICOM-SEG; None: by their names.",
        nullable=True,
        images="volumes",
    ),
    # figures
    Option("runs", "mapping", "Title and folder of each run to compare; see also --run."),
    Option("cases", "any", "Names of the cases that are plotted; None: chosen by their errors.", nullable=True),
    Option("count", "count", "Number of cases that are plotted."),
    # computed from the data set
    *(
        Option(name, "computed", "")
        for name in ("classes", "values", "num_classes", "foreground", "channels", "num_channels", "per_case", "form")
    ),
)
ID_OPTIONS = {option.name: option for option in _OPTIONS}
# What most users set: a help text lists these ids first.
COMMON_IDS = (
    *("method", "method_args", "teacher", "model", "input", "target", "window", "image_size", "patch_size", "spacing"),
    *("max_epochs", "batch_size", "learning_rate", "student_width", "teacher_width", "seed", "training_cases"),
    *(
        "resume",
        "part",
        "protocol",
        "metrics",
        "nsd_mm",
        "largest_component",
        "min_volume",
        "save_probabilities",
        "device",
    ),
)


def option_of(name: str) -> Option | None:
    """Return the table's entry of an id; a nested id such as ``team_figures::output_dir`` has that of its last part."""
    option = ID_OPTIONS.get(name) or ID_OPTIONS.get(name.split("::")[-1])
    return option if option is None or option.name == name or option.kind in ("path", "paths") else None


def data_as_literals(options: Mapping[str, Any]) -> dict[str, Any]:
    r"""Return options in a form of which MONAI's parser evaluates nothing that is data, see `as_literal`.

    Args:
        options: ids and their values. Those of the table, and arguments of a method, are data. Any other id overrides the
            configuration, and stays as it is.

    Example:
        >>> data_as_literals({"dataset_dir": "@data", "decide": "@train::decide", "spacing": "$None"})
        {'dataset_dir': "$'\\x40data'", 'decide': '@train::decide', 'spacing': '$None'}
    """
    return {
        name: as_literal(value) if value != "$None" and _is_data(name) else value for name, value in options.items()
    }


def _is_data(name: str) -> bool:
    return option_of(name) is not None or name.startswith("method_args::")
