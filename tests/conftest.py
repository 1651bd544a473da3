"""What holds for every test."""

import signal

# A shell that starts something in the background makes it ignore Ctrl-C, and so would every program that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
