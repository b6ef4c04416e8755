"""SOC estimators of other packages on our data, each in the interpreter of an environment that has it.

PEERS names them; maker puts them in the place of our own methods, run is one call over one batch of readings, and version
says which version an interpreter has.
"""

from hil.score.peers.device import PeerDevice, maker, run
from hil.score.peers.peer import PEERS, Peer
from hil.score.peers.process import version

__all__ = ["PEERS", "Peer", "PeerDevice", "maker", "run", "version"]
