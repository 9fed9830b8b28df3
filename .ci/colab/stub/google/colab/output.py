"""Requests to Colab's page; they do nothing here."""


def enable_custom_widget_manager() -> None:
    """Do nothing: there is no page."""
