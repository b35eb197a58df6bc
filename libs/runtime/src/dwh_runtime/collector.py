"""Let Python's cycle collector work less in processes that live long and make much.

A batch of events is thousands of small objects without cycles, which die by their reference counts. With the
interpreter's defaults the collector goes through all of them, and through everything that was imported, again
and again: about a quarter of an indexer's processor time.
"""

import ctypes
import gc

_YOUNG = 50_000
"""New objects until the collector looks at them; 700 by default."""


def _give_back() -> None:
    """Let glibc return what starting has used and freed: 2 MB; other C libraries have no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def spare() -> None:
    """Call once, when everything is loaded and built; what lives then is never looked at again."""
    gc.collect()
    _give_back()
    gc.freeze()
    gc.set_threshold(_YOUNG)
