"""A slow or busy machine is no failure: examples have no deadline."""

from hypothesis import settings

# The same examples every time: what fails here fails for everybody. `make fuzz` draws new ones.
settings.register_profile("valuedrift", deadline=None, derandomize=True)
settings.load_profile("valuedrift")
