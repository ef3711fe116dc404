"""OpenPersonalize: Amazon Personalize that anyone can run."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("openpersonalize")
except PackageNotFoundError:  # running from a tree that was never installed
    __version__ = "0.0.0"

__all__ = ["__version__"]
