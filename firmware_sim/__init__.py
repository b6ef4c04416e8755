"""The device: a battery management system for sodium-ion packs, as a function from (state, frames, dt) to (state, frames).

It knows no clock, no bus and no file. Positive current discharges the pack.
"""
