"""Property tests draw the same examples every time, and a busy machine does not fail them."""

import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell: the programs under test would never hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
