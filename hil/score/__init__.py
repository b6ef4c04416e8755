"""The score of the estimators: cases with a reference, recorded or simulated, sensor errors on them, and figures."""
