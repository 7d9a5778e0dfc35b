"""Preparation of data sets: one module for each data set, ``prepare(source, target)`` from the download to a data list."""
