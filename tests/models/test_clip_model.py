"""The embedded CLIP's public behaviour: words, warnings, sizes."""

import pytest
import torch


def test_known_words_hold_what_the_drawings_show(tiny):
    known = tiny.perceptors[0].known_words()
    assert known == sorted(set(known))
    assert {"apple", "cat", "house", "red", "background", "snowman"} <= set(known)


def test_unknown_words_are_named_in_their_order(tiny):
    unknown = tiny.perceptors[0].unknown_words("A red Zorblax, on a quuxy background!")
    assert unknown == ["zorblax", "quuxy"]


def test_a_word_spelt_wrong_is_met_with_known_ones(tiny):
    suggested = tiny.perceptors[0].suggested_words("a red aple on a quuxyzzy background")
    assert "apple" in suggested["aple"]
    assert suggested["quuxyzzy"] == []


def test_a_clip_without_a_word_list_has_no_unknown_words(tmp_path, clip_model):
    from vqclip_nb.models.clip_model import Perceptor

    perceptor = Perceptor.from_state("other", clip_model.state_dict())
    assert perceptor.known_words() == []
    assert perceptor.unknown_words("a zorblax") == []


def test_a_prompt_that_is_too_long_is_cut_with_a_warning_that_shows_what_is_lost(tiny):
    perceptor = tiny.perceptors[0]
    words = " ".join(["apple"] * (perceptor.context_length - 2))
    with pytest.warns(UserWarning, match="lost: 'house boat'"):
        tokens = perceptor.tokenize(f"{words} house boat")
    assert tokens.shape == (1, perceptor.context_length)


def test_a_picture_of_any_size_is_resized_to_the_input_size(tiny):
    perceptor = tiny.perceptors[0]
    large = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8), scale_factor=16)
    small = torch.nn.functional.interpolate(large, size=perceptor.input_size, mode="area")
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(perceptor.encode_image(large), perceptor.encode_image(small)).item() > 0.95


def test_embeddings_are_raw_and_one_row_each(tiny):
    perceptor = tiny.perceptors[0]
    emb = perceptor.encode_text(["a cat", "a dog", "the sun"])
    assert emb.shape[0] == 3
    assert (emb.norm(dim=1) - 1).abs().min() > 1e-3
