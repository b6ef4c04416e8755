"""Stands for the package of that name: a textbook filter under its words, so that our worker can be tested without it."""
