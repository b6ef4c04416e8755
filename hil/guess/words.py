"""What people call the things a BMS speaks of: the words by which a signal is taken for a role.

Words are small letters. A word of four letters or more also stands for longer ones that begin with it. English and German,
and the abbreviations of both, since these are what DBC files are written in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

VOLT = ("volt", "spannung", "spg", "u", "v", "vltg", "mv")
AMP = ("curr", "strom", "i", "amp", "a", "ma")
TEMP = ("temp", "tmp", "t", "ntc", "therm")
CELL = ("cell", "zell", "brick", "cel", "module", "mod")
PACK = ("pack", "batt", "bat", "hv", "bms", "akku", "string", "shunt", "total", "u", "i")
OPEN_CLOSED = {"open": 0, "opened": 0, "off": 0, "offen": 0, "closed": 1, "close": 1, "on": 1, "zu": 1}

# Words of the battery system itself, and of what else is in a vehicle: a signal of the latter is none of the battery's,
# whatever else its name has.
HOME = (
    "bms",
    "bcu",
    "bmu",
    "bmc",
    "becm",
    "bdu",
    "cmu",
    "csc",
    "csm",
    "hvb",
    "batt",
    "bat",
    "pack",
    "akku",
    "cell",
    "zell",
    "brick",
    "shunt",
    "ivt",
    "contact",
    "relay",
    "rly",
    "schuetz",
    "prech",
    "vorlade",
    "hvil",
    "dclink",
    "soc",
    "soh",
)
ELSEWHERE = (
    "epas",
    "eps",
    "das",
    "autopilot",
    "summon",
    "gtw",
    "gateway",
    "ui",
    "steer",
    "lenk",
    "brake",
    "brems",
    "esp",
    "abs",
    "engine",
    "exhaust",
    "turbo",
    "fuel",
    "trans",
    "gear",
    "clutch",
    "driveline",
    "tire",
    "tyre",
    "tpms",
    "wheel",
    "door",
    "window",
    "seat",
    "light",
    "lamp",
    "radio",
    "hvac",
    "climate",
    "klima",
    "cabin",
    "airbag",
    "camera",
    "radar",
    "rail",
    "factory",
    "motor",
    "inverter",
    "charger",
    "obc",
    "evse",
    "cp",
    "cc",
    "dcdc",
    "lv",
    "heat",
    "ptc",
    "compress",
    "verbrauch",
    "consum",
    "fan",
    "pump",
    "valve",
    "radiator",
    "coolant",
    "aux",
    "fc",
    "solar",
)
NUMBERING = ("counter", "cnt", "crc", "checksum", "chksum", "alive", "rolling", "mux", "bz")

# What values are called elsewhere, to our names; the whole word, or its beginning from four letters on.
NAMES = {
    "Vehicle_ModeRequest": {"standby": "standby", "idle": "standby", "off": "standby", "sleep": "standby", "open": "standby",
                            "drive": "drive", "discharge": "drive", "run": "drive", "close": "drive", "on": "drive",
                            "charge": "charge", "charging": "charge"},
    "BMS_State": {"init": "init", "boot": "init", "start": "init", "standby": "standby", "idle": "standby", "ready": "standby",
                  "prech": "precharge", "run": "run", "drive": "run", "driving": "run", "operat": "run", "active": "run",
                  "charge": "charge", "charging": "charge", "error": "error", "fault": "error", "failure": "error",
                  "opening": "opening", "disconnect": "opening", "shutdown": "opening", "stopping": "opening"},
}  # fmt: skip


@dataclass(frozen=True)
class Role:
    """How signals of a role look.

    name: the role; {n...} for a family.  groups: of each, one word must be there.  never: words that speak against it.
    likes: words that speak for it.  units: its units, with (scale, offset) to ours; "" where it has none.  bits: least and
    most of them.  needed: whether the bench cannot do without.
    """

    name: str
    groups: tuple[tuple[str, ...], ...]
    never: tuple[str, ...] = ()
    likes: tuple[str, ...] = ()
    units: dict[str, tuple[float, float]] = field(default_factory=dict)
    bits: tuple[int, int] = (1, 64)
    needed: bool = False


_V = {"v": (1.0, 0.0), "mv": (0.001, 0.0), "volt": (1.0, 0.0), "unit_volt": (1.0, 0.0), "unit_millivolt": (0.001, 0.0)}
_A = {"a": (1.0, 0.0), "ma": (0.001, 0.0), "amp": (1.0, 0.0), "ampere": (1.0, 0.0), "unit_amper": (1.0, 0.0)}
_C = {
    "degc": (1.0, 0.0), "c": (1.0, 0.0), "°c": (1.0, 0.0), "celsius": (1.0, 0.0), "unit_degrecelsi": (1.0, 0.0),
    "deg c": (1.0, 0.0), "k": (1.0, -273.15), "f": (5 / 9, -160 / 9), "degf": (5 / 9, -160 / 9),
}  # fmt: skip
_NONE = {"": (1.0, 0.0), "-": (1.0, 0.0), "bool": (1.0, 0.0), "bit": (1.0, 0.0)}
_PERCENT = {"%": (1.0, 0.0), "percent": (1.0, 0.0), "unit_percent": (1.0, 0.0)}
_EXTREME = (
    "min",
    "max",
    "mini",
    "maxi",
    "avg",
    "mean",
    "aver",
    "ave",
    "lim",
    "limit",
    "thres",
    "delta",
    "diff",
    "sum",
    "target",
    "soll",
    "highest",
    "lowest",
)
_FLAG = ("valid", "invalid", "fault", "error", "err", "warn", "alarm", "status", "state", "over", "under", "high", "low")
_CONTACT = ("contact", "relay", "rly", "schuetz", "cont", "ctr", "main", "open", "close", "prech", "vorlade")
_FEEDBACK = ("feed", "fb", "state", "stat", "aux", "is", "mirror", "open", "pos")
_ORDER = ("cmd", "comm", "req", "ctrl", "close", "set", "drive", "request", "enable", "on", "soll")
_PLUS, _MINUS, _PRE = ("plus", "pos", "positive", "p"), ("minus", "neg", "negative", "n"), ("pre", "prech", "vorlade")


def _contact(role: str, side: tuple[str, ...], verb: tuple[str, ...], never: tuple[str, ...]) -> Role:
    others = tuple(word for words in (_PLUS, _MINUS, _PRE) if words is not side for word in words if len(word) > 1)
    return Role(
        role,
        (side, _CONTACT, verb),
        (*others, *never, "weld", "fault", "error", "crc", "crash", "heat"),
        _CONTACT,
        _NONE,
        (1, 4),
        True,
    )


FAMILIES = (
    Role("CellVoltage_{n:03}", (CELL, VOLT), (*_EXTREME, *_FLAG, *TEMP[:2], "bal", "soc", "res"), ("mod",), _V, (8, 64), True),
    Role("CellTemperature_{n:02}", (TEMP,), (*_EXTREME, *_FLAG, "ambient", "motor", "inv", "cool", "inlet", "outlet", "aussen",
         "shunt", "charger", "oil", "tpms", "target", "pct", "stator", "rotor", "igbt", "pcb", "board"),
         (*CELL, "mod", "batt", "ntc"), _C, (6, 64), True),
)  # fmt: skip

SINGLES = (
    Role("Shunt_Current", (AMP, PACK), (*_EXTREME, *_FLAG, *CELL[:3], "charge", "chg", "disch", "motor", "phase", "allow"),
         ("pack", "shunt", "raw", "hv", "batt"), _A, (8, 64), True),
    Role("Shunt_PackVoltage", (VOLT, PACK), (*_EXTREME, *_FLAG, *CELL[:3], "link", "charge", "dc", "iso", "aux", "lv", "tpms"),
         ("pack", "total", "batt"), _V, (8, 64), True),
    Role("Shunt_LinkVoltage", (VOLT, ("link", "bus", "zwischen", "dclink", "inv", "output", "out", "load", "terminal")),
         (*_EXTREME, *_FLAG, *CELL[:3], "charge", "hvil", *_PLUS[:3], *_MINUS[:3]), ("link", "dc", "hv"), _V, (8, 64), True),
    _contact("PackIO_MainPlusFeedback", _PLUS, _FEEDBACK, ("cmd", "req", "ctrl")),
    _contact("PackIO_MainMinusFeedback", _MINUS, _FEEDBACK, ("cmd", "req", "ctrl")),
    _contact("PackIO_PrechargeFeedback", _PRE, _FEEDBACK, ("cmd", "req", "ctrl")),
    Role("PackIO_Hvil", (("hvil", "interlock"),
         ("hv", "hvil", "line", "loop", "state", "status", "closed")), ("fault", "warn"), ("state", "closed"), _NONE, (1, 4)),
    Role("PackIO_EmergencyLine", (("emerg", "estop", "crash", "kl30"),
         ("line", "stop", "button", "chain", "kl30", "off")), (), ("state",), _NONE, (1, 4)),
    Role("PackIO_Insulation", (("iso", "insul", "riso"),), ("fault", "warn", "lim"), ("res",),
         {"kohm": (1.0, 0.0), "ohm": (0.001, 0.0), "unit_kiloohm": (1.0, 0.0)}, (6, 64)),
    Role("Vehicle_ModeRequest", (("mode", "modus", "request", "req", "key", "anf", "soll", "cmd"),
                                 ("vcu", "vehicle", "veh", "bms", "batt", "hv", "pack", "drive")),
         ("state", "ack", "ist", "fault", "power", "heat", "flow", "temp", "switch", "hold", "cell"),
         ("mode", "request", "cmd"), _NONE, (1, 8), True),
    Role("Vehicle_FaultReset", (("reset", "clear", "quit", "ack"),), ("required", "source", "hours", "build", "trip"),
         ("fault", "error", "request"),
         _NONE, (1, 4)),
    Role("Vehicle_ChargerConnected", (("charger", "plug", "evse"), ("connect", "plug", "present", "detect")), ("fault",), (),
         _NONE, (1, 4)),
    _contact("BMS_MainPlusCommand", _PLUS, _ORDER, ("fb", "feed", "aux")),
    _contact("BMS_MainMinusCommand", _MINUS, _ORDER, ("fb", "feed", "aux")),
    _contact("BMS_PrechargeCommand", _PRE, _ORDER, ("fb", "feed", "aux")),
    Role("BMS_State", (("state", "mode", "status", "modus", "zustand"),
         ("bms", "bcu", "bmu", "hv", "oper", "sys", "batt", "pack")),
         ("charge", "health", "contact", "relay", "limit", "req", "soc", "soh", "bal", "fan", "heat", "cell", "iso",
          "led", "lim",
          "disconnect", "fault", "error", "crc", "checksum", "switch", "hold"),
         ("bms", "main", "hv"), _NONE, (2, 8), True),
    Role("BMS_FaultCode",
         (("fault", "error", "err", "trouble", "dtc", "fehler"), ("code", "id", "nr", "num", "status", "dtc", "word")),
         ("count", "uart", "hvac", "wheel", "rej"), ("bms", "code", "active"), _NONE, (3, 32), True),
    Role("BMS_ChargeCurrentLimit",
         (("charge", "chg", "chrg", "lade", "regen", "ccl"), (*AMP, "ccl"), ("lim", "limit", "max", "allow", "perm", "ccl")),
         ("dis", "disch", "cell", "volt", "line", "connector", "cable", "ac"), ("bms",), _A, (8, 32), True),
    Role("BMS_DischargeCurrentLimit",
         (("disch", "dischg", "dischrg", "entlade", "dcl"), (*AMP, "dcl"), ("lim", "limit", "max", "allow",
          "perm", "dcl")),
         ("cell", "volt"), ("bms",), _A, (8, 32)),
    Role("BMS_Soc", (("soc", "ladezustand"),), ("min", "max", "cell", "target", "soll", "valid", "temp", "pct"),
         ("bms", "disp"), _PERCENT, (6, 32)),
    Role("BMS_SohCapacity", (("soh",),), ("res", "cell", "min", "max"), ("cap",), _PERCENT, (6, 32)),
)  # fmt: skip

FLAGS = {
    "Diag_CellOvervoltageMsl": (("ov", "overvolt", "uover", "ovp"), ("over", "volt"), ("too", "high", "volt"), ("too", "high")),
    "Diag_CellUndervoltageMsl": (
        ("uv", "undervolt", "uunder", "uvp"),
        ("under", "volt"),
        ("too", "low", "volt"),
        ("too", "low"),
    ),
    "Diag_OvertempDischargeMsl": (("ot", "overtemp", "otp"), ("over", "temp"), ("too", "hot")),
    "Diag_UndertempDischargeMsl": (("ut", "undertemp", "utp"), ("under", "temp"), ("too", "cold")),
    "Diag_OvercurrentDischargeMsl": (("oc", "overcurr", "ocp", "ocd"), ("over", "curr")),
    "Diag_InsulationLow": (("isofault", "insulfault"), ("iso", "fault"), ("insul", "fault"), ("iso", "low"), ("insul", "low")),
}
WARNS = ("heat", "louver", "link", "warn", "warning", "pre", "info", "crc", "count", "limit", "reset")
NOT_AVAILABLE = ("sna", "notavailable", "signalnotavailable", "invalid", "unavailable", "na", "init", "notvalid", "undefined")
