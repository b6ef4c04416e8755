"""Records into files, figures and tables."""
