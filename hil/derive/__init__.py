"""From a cell to a pack, and from a pack to a calibration: first drafts with every number's reason beside it."""
