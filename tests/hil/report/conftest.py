"""Finished runs of three kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pages import HOSTILE, LONG, REQUIREMENTS, SHORT, Run

from hil import files, runner
from hil.report import folder


@pytest.fixture(scope="session")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Scenario files by name: one that passes, one that fails, one that is long and wide."""
    base = tmp_path_factory.mktemp("scenarios")
    (base / "requirements.toml").write_text(REQUIREMENTS)
    pack = (files.folder("pack") / "nfm-16s.toml").read_text().replace('name = "nfm-16s"', 'name = "big"')
    (base / "big.pack.toml").write_text(pack.replace("series = 16", "series = 192"))
    t_s = np.arange(0.0, 800.0)
    volt = np.interp(t_s, [0, 20, 390, 400, 420, 790, 800], [4.0, 4.0, 2.0, 2.1, 2.1, 4.0, 3.9])
    amps = np.interp(t_s, [0, 20, 20.5, 390, 390.5, 419, 420, 790, 790.5], [0, 0, -4, -4, 0, 0, 4, 4, 0])
    rows = "".join(f"{t:g},{u:.4f},{i:g}\n" for t, u, i in zip(t_s, volt, amps, strict=True))
    (base / "recording.csv").write_text(f"t,u,i\n{rows}")
    texts = {
        "passes": SHORT.format(name="passes", title=HOSTILE, fault="$$x^2$$ </script> <u>f</u>", state="run"),
        "fails": SHORT.format(name="fails", title="It fails", fault="lifted", state="charge"),
        "long": LONG.format(),
    }
    paths = {name: base / f"{name}.scenario.toml" for name in texts}
    for name, text in texts.items():
        paths[name].write_text(text, encoding="utf-8")
    return paths


@pytest.fixture(scope="session")
def finished(scenarios: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """The runs of all of them, written to one folder."""
    out = tmp_path_factory.mktemp("runs")
    records = {name: runner.run(path, runner.Options()) for name, path in scenarios.items()}
    return {name: Run(record, folder.write(record, out)) for name, record in records.items()}
