"""The plant: what cells, contactors, link, load and sensors are. It does not know that a firmware exists."""
