"""SOC estimators of other packages on our data, each run by an interpreter that has it.

PEERS names them; run gives readings to one and takes what it believed; version says which one it was.
"""

from hil.score.peers.hand import Answer, run, version
from hil.score.peers.peer import PEERS, Peer

__all__ = ["PEERS", "Answer", "Peer", "run", "version"]
