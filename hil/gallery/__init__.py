"""Cells to look at: what a cell file says, and what the plant makes of it, as one page."""
