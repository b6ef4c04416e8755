"""Recording: what was on the wire, and its exports."""
