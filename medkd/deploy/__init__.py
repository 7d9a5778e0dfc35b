"""A trained student outside training: exported, packed as a MONAI bundle, run without torch."""
