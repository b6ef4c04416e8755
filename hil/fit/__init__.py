"""From cycler data to a cell file: what `nabench fit` does, from the reading of CSV files to the page of plots.

The model here is written apart from hil.plant, so that neither can hide a mistake of the other: the plant steps a state,
this lays the whole course of charge, temperature and loop out first and then solves for the tables, in which the voltage is
linear but for the logarithms of the resistances. Floors: `datamap` (what the user says), `data` (CSV to runs, and what is
wrong with them), `legs` (rests, pulses, full), `model` (voltage and its derivatives), `solve` (least squares),
`heat` (temperature), `celltext` (the file), `page` (the plots).
"""
