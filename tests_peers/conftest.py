"""Tests against programs that do not come with Python: run by `make test-peers`, which installs them."""
