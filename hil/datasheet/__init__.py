"""From a data sheet to a cell file: what the sheet gives, what is borrowed from a known cell, and the text of the file."""
