"""The bench fixture, and what its session is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from hil.pytest_plugin.outcome import sentence
from hil.pytest_plugin.settings import MARKER_KEYS, bench_file, setting_of, value_of

if TYPE_CHECKING:
    from hil.session import Session

SESSION = pytest.StashKey["Session"]()
FOLDER = pytest.StashKey[pytest.TempPathFactory]()
FAILED = pytest.StashKey[bool]()


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A bench with a pack and a device, fresh for each test and checked after it. See hil.session.Session."""
    from hil.errors import NabenchError
    from hil.session import Session

    node = request.node
    try:
        session = Session(**keys_of(node))
    except NabenchError as error:
        raise sentence(error) from None
    node.stash[SESSION], node.stash[FOLDER] = session, tmp_path_factory
    yield session
    may_stay = node.stash.get(FAILED, False) or node.get_closest_marker("nabench_leaves_faults") is not None
    unwell = session.health(faults_may_stay=may_stay)
    try:
        session.close()
    except NabenchError as error:
        unwell += error.problems
    if unwell:
        pytest.fail("the bench is not well after the test: " + "; ".join(unwell), pytrace=False)


def keys_of(node: pytest.Item) -> dict[str, Any]:
    """Arguments of the session of a test. Raises ScenarioError for a marker that says something unknown."""
    from hil.errors import ScenarioError, nearest

    marked: dict[str, Any] = {}
    for mark in node.iter_markers("nabench"):
        if mark.args:
            raise ScenarioError(f"marker nabench takes named values only, found {mark.args[0]!r}; write pack={mark.args[0]!r}")
        for key, value in mark.kwargs.items():
            if key not in MARKER_KEYS:
                raise ScenarioError(f'marker nabench: "{key}" is unknown{nearest(key, MARKER_KEYS)}')
            marked.setdefault(key, value)
    keys = dict(marked)
    for name in ("pack", "calibration", "network", "seed"):
        found = setting_of(node.config, name)
        if found is not None and (found[1] or name not in marked):
            keys[name] = found[0]
    served = [str(value) for name, value in node.user_properties if name == "requirement"]
    return {
        **keys,
        "dut": value_of(node.config, "dut", "emulator"),
        "realtime": value_of(node.config, "realtime", False),
        "arm": value_of(node.config, "arm", False),
        "bench": bench_file(node.config),
        "requirement": served[0] if served else "TEST",
        "near": node.path,
    }
