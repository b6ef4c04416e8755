"""Scripts for the interpreters of other packages: numpy and that package is all they may import, nothing of nabench.

Each is started as `python -m workers.NAME IN.npz OUT.npz` in the folder above. IN holds what circuit.Given lists, OUT gets
soc and, where the package has one, sigma: (step, pack).
"""
