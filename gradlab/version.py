"""The version: of files, and of what is stored with them."""

__version__ = "0.1.0"
