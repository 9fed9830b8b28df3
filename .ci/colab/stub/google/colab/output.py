"""What Colab's page would do on request; nothing here."""


def enable_custom_widget_manager() -> None:
    """Nothing to do: the stand-in has no page."""
