"""Films as HTML: what the page is given."""

import base64
import re

import numpy as np
import pytest

from vqclip_nb.player import play
from vqclip_nb.video import write_video


@pytest.mark.parametrize(("ending", "tag"), [("mp4", "video"), ("gif", "img")])
def test_a_film_is_in_the_page_as_it_is_in_the_file(ending, tag, tmp_path):
    film = tmp_path / f"a.{ending}"
    write_video(film, [np.full((16, 16, 3), level, np.uint8) for level in (0, 200)])
    shown = play(film).data
    addresses = re.findall(r'(?:src|href)="data:[a-z]+/[a-z0-9]+;base64,([^"]+)"', shown)
    assert f"<{tag} " in shown
    assert [base64.b64decode(each) for each in addresses] == [film.read_bytes()] * 2


def test_captions_are_words_and_no_code(tmp_path):
    film = tmp_path / "<b>.mp4"
    write_video(film, [np.zeros((16, 16, 3), np.uint8)])
    shown = play(film, captions=['"><script>']).data
    assert "<script>" not in shown
    assert "<b>" not in shown
