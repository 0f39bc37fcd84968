"""nuages: the production container environment for Django."""

__version__ = "0.1.0"

STARTER = (
    'import os; os.environ.get("NUAGES_MEDIA", "").startswith("s3://") and '
    '__import__("nuages.runtime.foreign").runtime.foreign.watch()'
)
"""The last line of the `.pth` files of environments that we make, run at the start of every Python (docs of `site`)."""
