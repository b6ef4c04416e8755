"""The pytest plugin of nabench."""
