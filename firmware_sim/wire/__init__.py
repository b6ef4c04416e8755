"""Arrays <-> frames: the only language the two sides share. What a bit means comes from the DBC, as a Layout."""
