"""The generated pages of the site, and formulas without a script."""
