"""Random values for fields of the settings."""

from hypothesis import strategies as st

from vqclip_nb.settings import Settings, specs


def allowed_values(name: str) -> st.SearchStrategy:
    """Values of a number, a switch or a choice among the settings, drawn from its spec."""
    spec, default = specs()[name], getattr(Settings(), name)
    if spec.choices:
        return st.sampled_from(spec.choices)
    if isinstance(default, bool):
        return st.booleans()
    if isinstance(default, int):
        return st.integers(int(spec.minimum), int(spec.maximum))
    return st.floats(spec.minimum, spec.maximum)
