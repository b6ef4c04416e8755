"""A first mapping for somebody else's DBC: roles guessed from names, units, comments, value tables and places, and said so."""
