"""Foresight: how much current and power every cell bears for how long, and what energy and time are left."""
