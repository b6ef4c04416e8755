"""A worker without a package, for the tests: SOC is counted, and sigma is the voltage that it was told in each step."""

import sys

import numpy as np


def main() -> None:
    """Answer until the input ends."""
    with np.load(sys.argv[1]) as held:
        soc, per_A = held["start_soc"], held["dt_s"] / (3600.0 * held["capacity_Ah"])
        slip = "set_slip" in held.files
    for line in sys.stdin:
        there, back = line.rstrip("\n").split("\t")
        with np.load(there) as held:
            current_A, cell_V = held["current_A"], held["cell_V"]
        if np.any(cell_V < 0):
            raise ValueError("a voltage below 0")
        course = soc - per_A * np.cumsum(current_A, axis=0)
        soc = course[-1]
        np.savez(back, soc=course[1:] if slip else course, sigma=cell_V)
        print("done", flush=True)


main()
