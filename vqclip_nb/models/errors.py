"""The error of every model file that cannot be used."""


class WeightsError(ValueError):
    """A file cannot be used; the message names the file, the reason and the remedy."""
