"""The version of the distribution, which a file that leaves the project names."""

VERSION = "0.1.0"
