"""Scripts for the interpreters of other packages: numpy and that package is all they may import, nothing of nabench.

Each is started as `python -m workers.NAME START.npz` in the folder above; circuit.Given says what START holds and
circuit.serve how the talk goes on.
"""
