"""Deployment: export to other formats, packing as a MONAI bundle, inference without torch."""
