"""A slow or busy machine is no failure: examples have no deadline."""

from hypothesis import settings

settings.register_profile("valuedrift", deadline=None)
settings.load_profile("valuedrift")
