"""Run tests/socketcan on the CAN of a real kernel: a user-mode Linux that boots here in seconds, without root.

    python tools/socketcan.py              install what is missing, boot, test, say the result
    python tools/socketcan.py -k slcan     some of the tests

Needs Debian's packages user-mode-linux, can-utils and kmod, and a C compiler; as root they are installed. The guest sees
the files of this machine and writes to build/socketcan only: junit.xml, pytest.txt, and rc, which is the result, as a
user-mode Linux exits with 0 whatever happens inside.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
RESULTS = REPO / "build" / "socketcan"
# Program to the Debian package that has it.
NEEDED = {"linux.uml": "user-mode-linux", "candump": "can-utils", "insmod": "kmod", "ip": "iproute2", "cc": "gcc", "tar": "tar"}
MOST_S = 400
WORN = ("selinux", "mmapper_init", "ubd device", "wtmp", "System halted", "Powering off")


def missing() -> list[str]:
    """Packages that have what is not here."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return sorted({package for program, package in NEEDED.items() if shutil.which(program, path=path) is None})


def install(packages: list[str]) -> None:
    """Install them by apt-get, or say who must."""
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    why = "this is no Debian (no apt-get)" if shutil.which("apt-get") is None else "apt-get needs root"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        sys.exit(f"the tests on a real kernel's CAN need {', '.join(packages)}, but {why}; once: sudo {command}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in ("apt-get -qq update", f"{command} -qq -y"):
        done = subprocess.run(step.split(), env=environment, capture_output=True, text=True, check=False)
    if done.returncode or missing():
        lines = (done.stderr or done.stdout).strip().splitlines()[-3:]
        sys.exit(f"{command} failed; the tests on a real kernel's CAN cannot run: " + " / ".join(lines))


def pack(work: Path) -> None:
    """Sources with their exact times, and the kernels that were compiled from them; needs tar for the times."""
    from firmware_sim import jit
    from hil import warm

    warm.warm(print)
    tar = ["tar", "--format=posix", "-cf"]
    subprocess.run([*tar, work / "sources.tar", "-C", REPO, "--exclude=__pycache__", "firmware_sim", "hil"], check=True)
    folder, root = jit.CACHE_FOLDER.name, jit.cache_root()
    subprocess.run([*tar, work / "cache.tar", "--transform=s,^,cache/,", "-C", root, folder], check=True)


def boot(work: Path, chosen: list[str]) -> None:
    """Run the guest to its end; what its console says is printed."""
    (work / "arguments").write_text("".join(f"{argument}\n" for argument in chosen), encoding="utf-8")
    shim = work / "xstate.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", shim, REPO / "tools" / "uml" / "xstate.c"], check=True)
    memory = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
    guest = [
        "linux.uml", "mem=1G", "rootfstype=hostfs", "rootflags=/", "ro", f"init={REPO}/tools/uml/guest.sh", "con0=fd:0,fd:1",
        "con=null", "quiet", f"REPO={REPO}", f"PYTHON={sys.executable}", f"RESULTS={work}",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(dir=memory) as home:
        environment = {**os.environ, "HOME": home, "TMPDIR": home, "LD_PRELOAD": str(shim)}
        with subprocess.Popen(
            guest, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        ) as kernel:  # fmt: skip
            try:
                out, _ = kernel.communicate(timeout=MOST_S)
            except subprocess.TimeoutExpired:
                os.killpg(kernel.pid, signal.SIGKILL)  # with the processes that it runs its own in
                out, _ = kernel.communicate()
                print(f"the guest was ended after {MOST_S} s")
    for line in out.splitlines():
        if line.strip() and not any(word in line for word in WORN) and not line.startswith("SELinux"):
            print(line)


def main() -> int:
    """Exit code of the tests; 2 when they could not run."""
    if sys.platform != "linux":
        sys.exit("user-mode Linux needs Linux")
    packages = missing()
    if packages:
        install(packages)
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    pack(RESULTS)
    boot(RESULTS, sys.argv[1:])
    for name in ("sources.tar", "cache.tar", "xstate.so"):
        (RESULTS / name).unlink(missing_ok=True)
    text = RESULTS / "pytest.txt"
    print(text.read_text(encoding="utf-8") if text.exists() else "the guest never came to its tests")
    rc = RESULTS / "rc"
    return int(rc.read_text(encoding="ascii")) if rc.exists() else 2


if __name__ == "__main__":
    sys.exit(main())
