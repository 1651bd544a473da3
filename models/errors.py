"""What can go wrong with a classifier; every message says what the operator should do."""


class ModelError(Exception):
    """A classifier cannot be used as it stands."""


class BundleError(ModelError):
    """A bundle is missing, damaged, unsafe or of an unknown kind."""


class ProviderError(ModelError):
    """ONNX Runtime is absent, ambiguous, or does not offer the device that was asked for."""
