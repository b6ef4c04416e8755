"""The bench: plant, wire, device under test, verdict."""

__version__ = "0.1.0"
