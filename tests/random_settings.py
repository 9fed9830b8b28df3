"""Random values for fields of the settings."""

from hypothesis import strategies as st

from vqclip_nb.prompt_syntax import parse_story
from vqclip_nb.settings import Settings, specs


def allowed_values(name: str, fields_of: type = Settings) -> st.SearchStrategy:
    """Values of a number, a switch or a choice, drawn from its spec."""
    spec = specs(fields_of)[name]
    if spec.kind == "choice":
        return st.sampled_from(spec.choices)
    if spec.kind == "switch":
        return st.booleans()
    if spec.kind == "whole number":
        return st.integers(int(spec.minimum), int(spec.maximum))
    return st.floats(spec.minimum, spec.maximum)


# Categories of characters that are visible, or join others; control characters are refused.
words = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs"]))


def _parsed(text: str) -> list | None:
    """The prompts of a text; None where it is refused."""
    try:
        return parse_story(text)
    except ValueError:
        return None


side = st.integers(int(specs()["im_shape"].minimum), int(specs()["im_shape"].maximum))
OTHERS = {
    "im_shape": st.tuples(side, side),
    "seed": st.none() | st.integers(0, int(specs()["seed"].maximum)),
    "clip": st.lists(words.filter(bool), max_size=3).map(tuple),
    "prompt": words.filter(_parsed),
    "extras": words.filter(lambda text: _parsed(text) is not None),
    "exclude": words.filter(lambda text: _parsed(text) is not None),
    "init_image": words,
    "models": words,
    "config": words,
    "mask": st.just(""),
    "augment": st.sampled_from(["", "none", "flip:1", "affine:15 erase:0.3", "only Ro noise:1"]),
    "w1": st.floats(0.01, 10),
}
any_settings = st.fixed_dictionaries(
    {name: OTHERS[name] if name in OTHERS else allowed_values(name) for name in specs()}
)
