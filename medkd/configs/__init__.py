"""What the bundles' configurations hold: their files and how these merge, the options, and the kinds of values.

Importing this package imports neither torch nor MONAI nor PyYAML.
"""
