"""Faults: rows of a table over a few compiled primitives, applied at four seams of the loop.

plant and actuator   a parameter of the plant is replaced while the fault is on
sensor               the sensed values, before they are encoded
network              the encoded frames, in either direction

The catalogue (catalogue.toml) names them; a new fault is one row there, only a new primitive is code.
"""
