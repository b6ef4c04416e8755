"""The supply frame: what the bench says, what a served device and an independent reader understand."""

from __future__ import annotations

import cantools
import e2e
import pytest

from hil import files
from hil.link.frame import Frame
from hil.link.supply import Supply


def arrived(data: bytes, can_id: int = 0x7E0) -> Frame:
    return Frame(0, can_id, 0, data, 0)


@pytest.mark.parametrize("order", [(True, False), (True, True), (False, False)])
def test_an_order_arrives_as_it_was_given(order: tuple[bool, bool]) -> None:
    """On and off, with and without memory."""
    assert order == Supply().read(arrived(Supply().frame(*order).data))


def test_cantools_and_an_e2e_library_read_the_same() -> None:
    """Signals, CRC and counter are what bench.dbc says, in every one of 16 frames."""
    database = cantools.database.load_file(files.dbc_folder() / "bench.dbc")
    assert isinstance(database, cantools.database.Database)
    message, supply = database.get_message_by_name("Bench_Supply"), Supply()
    for n in range(16):
        data = supply.frame(on=True, erase=n % 2 == 1).data
        decoded = message.decode(data, decode_choices=False)
        assert isinstance(decoded, dict)
        assert (1, n % 2, n % 15) == (decoded["Bench_DutSupply"], decoded["Bench_DutMemory"], decoded["Bench_Supply_Counter"])
        assert e2e.p11.e2e_p11_check(bytearray(data), 0x27E0)


def test_what_is_not_a_sound_supply_frame_orders_nothing() -> None:
    """Another id, another length, a flipped bit and a value that is none leave the supply as it is."""
    data = Supply().frame(on=False).data
    assert Supply().read(arrived(data, 0x7E1)) is None
    assert Supply().read(arrived(data[:7])) is None
    assert Supply().read(arrived(bytes([data[0] ^ 1]) + data[1:])) is None
