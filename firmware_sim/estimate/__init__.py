"""The estimators: SOC of every cell by one of several methods, and what follows from it for the pack."""
