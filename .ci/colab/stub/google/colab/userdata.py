"""Secrets: there are none."""


class SecretNotFoundError(Exception):
    """Like Colab's."""


def get(key: str) -> str:
    """Raise as Colab does for an unknown secret."""
    raise SecretNotFoundError(f"Secret {key} does not exist.")
