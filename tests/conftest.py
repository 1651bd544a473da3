"""What holds for every test."""

import signal

from hypothesis import settings

# A shell that starts something in the background makes it ignore Ctrl-C, and so would every program that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow or busy machine is no failure, and the same examples each time fail for everybody or nobody; `make fuzz` draws new ones.
settings.register_profile("valuedrift", deadline=None, derandomize=True)
settings.load_profile("valuedrift")
