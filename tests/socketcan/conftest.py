"""Tests on the CAN of a real kernel. They run where NABENCH_VCAN names two virtual buses: see tools/socketcan.py.

Elsewhere they are not part of the suite: `make test-socketcan` brings its own kernel.
"""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("NABENCH_VCAN") else ["test_*.py"]
