"""Reading the log from a position on, and making read models from it.

Nothing here can cause an effect: no module imports claims, queues or topics (a rule of `.importlinter`).
"""

from dwh_eventstore.replay.checkpoints import Checkpoints
from dwh_eventstore.replay.lock import Held, Lock
from dwh_eventstore.replay.projection import Projection
from dwh_eventstore.replay.rebuild import Plan, Rebuild
from dwh_eventstore.replay.sweep import Sweep, Swept
from dwh_eventstore.replay.verify import Difference, Progress, Verified, read_model_names, verify
from dwh_eventstore.replay.watermark import Batch, CatchUp, Position, Positions, Watermark, partitions

__all__ = [
    "Batch",
    "CatchUp",
    "Checkpoints",
    "Difference",
    "Held",
    "Lock",
    "Plan",
    "Position",
    "Positions",
    "Progress",
    "Projection",
    "Rebuild",
    "Sweep",
    "Swept",
    "Verified",
    "Watermark",
    "partitions",
    "read_model_names",
    "verify",
]
