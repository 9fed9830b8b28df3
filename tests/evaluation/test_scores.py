"""Scores are cosines of whole pictures and sentences; wrong input is reported before models load."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.nn import functional as F
from torchvision.transforms.functional import to_tensor

import vqclip_nb as vq
from vqclip_nb.cli import main
from vqclip_nb.core.images import as_images
from vqclip_nb.core.latents import stream
from vqclip_nb.evaluation import scores
from vqclip_nb.evaluation.scores import Score, as_table, score_pictures
from vqclip_nb.models.draft.drafting import Chance, draft_picture
from vqclip_nb.pictures import as_png, portable

CASTLE = Path(__file__).parents[2] / "assets" / "picture.png"
SENTENCE = "a castle on a hill at sunset"
THINGS = ["a snowman", "a cactus", "a star", "a whale"]


@pytest.fixture(scope="module")
def judge():
    return vq.load_judge("cpu")


@pytest.fixture(scope="module")
def drawn(tiny) -> list[Image.Image]:
    """What the pair drafts of each of the things."""
    chance = Chance.draw(stream(0, 0, 0))
    plain = [f"{thing} on a white background" for thing in THINGS]
    found = [draft_picture(tiny.draft, tiny.vqgan, text, chance, 128, 128) for text in plain]
    return [as_images(x)[0] for x in found]


@pytest.fixture
def nothing_loads(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(scores, "load_models", refuse)
    monkeypatch.setattr(scores, "load_judge", refuse)


def _cosine(perceptor, image: Image.Image, sentence: str) -> float:
    with torch.no_grad():
        emb = perceptor.encode_image(to_tensor(image.convert("RGB"))[None])
    return F.cosine_similarity(emb, perceptor.encode_text(sentence)).item()


def test_a_score_is_the_cosine_of_the_whole_picture_and_the_sentence(drawn, tiny, judge):
    images = [*drawn[:2], drawn[2].resize((96, 200)), drawn[3].resize((30, 30)), drawn[0]]
    found = score_pictures(images, THINGS, tiny, judge)
    assert list(found) == ["clip", "judge"]
    for perceptor, table in zip([tiny.perceptors[0], judge], found.values(), strict=True):
        by_hand = [[_cosine(perceptor, image, thing) for thing in THINGS] for image in images]
        torch.testing.assert_close(table, torch.tensor(by_hand), atol=2e-5, rtol=0)


def test_what_was_drawn_for_a_sentence_fits_it_best(drawn, tiny, judge):
    for table in score_pictures(drawn, THINGS, tiny, judge).values():
        assert table.argmax(1).tolist() == [0, 1, 2, 3]


def test_more_pictures_than_fit_at_once_score_as_one_does(drawn, tiny, monkeypatch):
    whole = score_pictures(drawn * 3, THINGS, tiny)["clip"]
    monkeypatch.setattr(scores, "_BATCH", 5)
    torch.testing.assert_close(score_pictures(drawn * 3, THINGS, tiny)["clip"], whole)
    monkeypatch.setattr(scores, "_MOST_PIXELS", 1)
    torch.testing.assert_close(score_pictures(drawn * 3, THINGS, tiny)["clip"], whole)


def test_a_score_is_the_same_each_time_and_asks_for_no_gradient(drawn, tiny):
    first, again = (score_pictures(drawn, THINGS, tiny)["clip"] for _ in range(2))
    assert torch.equal(first, again)
    assert not first.requires_grad


def test_sentences_with_weights_score_their_mean(drawn, tiny):
    prompts = ["a cactus:3 | a star | a whale:-1", "a cactus", "a star"]
    both, cactus, star = score_pictures(drawn, prompts, tiny)["clip"].T
    torch.testing.assert_close(both, (3 * cactus + star) / 4)


def test_perceptors_have_the_requested_names(tiny):
    (row,) = vq.score(CASTLE, "a cactus", clip="tiny", device="cpu")
    assert list(row.scores) == ["tiny", "judge"]
    (same,) = vq.score([Image.open(CASTLE)], ["a cactus"], tiny)
    assert same.picture == "picture 1"
    assert list(same.scores.values()) == list(row.scores.values())


def test_what_is_transparent_is_white_in_files_and_in_memory(tmp_path, tiny):
    clear = Image.open(CASTLE).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    clear.save(tmp_path / "clear.png")
    file, memory = vq.score([tmp_path / "clear.png", clear], "a castle", tiny)
    assert file.scores == pytest.approx(memory.scores, abs=2e-5)  # rows of a batch round apart


def test_without_a_prompt_a_picture_is_scored_against_its_own(tmp_path, tiny):
    (tmp_path / "run").mkdir()
    image = Image.open(CASTLE)
    (tmp_path / "run" / "picture.png").write_bytes(as_png(image, None))
    plan = vq.Settings(prompt="a cactus", extras="night").updated(9, prompt="a snowman")
    record = portable(plan.to_dict())
    (tmp_path / "run" / "settings.json").write_text(json.dumps(record))
    (tmp_path / "live.png").write_bytes(as_png(image, record))
    rows = vq.score([CASTLE, tmp_path / "run", str(tmp_path / "live.png")], models=tiny)
    assert [row.prompt for row in rows] == [SENTENCE, "a snowman", "a snowman"]
    assert [row.picture for row in rows] == [
        str(CASTLE),
        str(tmp_path / "run"),
        str(tmp_path / "live.png"),
    ]
    expected = _cosine(tiny.perceptors[0], image, SENTENCE)
    assert rows[0].scores["clip"] == pytest.approx(expected, abs=2e-5)
    assert rows[1].scores == rows[2].scores


def test_the_command_prints_a_row_for_each_picture_and_prompt(tmp_path, capsys):
    Image.new("RGB", (40, 60), "green").save(tmp_path / "green.webp")
    asked = ["score", str(CASTLE), str(tmp_path / "green.webp"), "--device", "cpu"]
    asked += ["--prompt", "a castle", "--prompt", "a cactus"]
    assert main([*asked, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["picture"], row["prompt"]) for row in rows] == [
        (picture, prompt) for picture in asked[1:3] for prompt in ("a castle", "a cactus")
    ]
    assert all(set(row["scores"]) == {"clip", "judge"} for row in rows)
    assert all(-1 <= found <= 1 for row in rows for found in row["scores"].values())
    assert main(asked) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["picture", "prompt", "clip", "judge"]
    assert [line.count("*") for line in lines[:2]] == [2, 0]
    for row, line in zip(rows, lines, strict=True):
        assert line.startswith(f"{row['picture']}  ")
        assert f"{row['scores']['judge']:.3f}" in line


def test_a_star_marks_the_best_of_several_prompts_in_each_column():
    rows = [Score("a.png", "a cat", {"clip": 0.3, "judge": -0.1})]
    assert "*" not in as_table(rows)
    rows.append(Score("a.png", "a dog\x1b[2J" + "!" * 80, {"clip": 0.25, "judge": 0.1}))
    _, cat, dog = as_table(rows).splitlines()
    assert cat.split() == ["a.png", "a", "cat", "0.300*", "-0.100"]
    assert dog.endswith("!…   0.250    0.100*")
    assert "\x1b" not in dog


def test_a_word_that_a_perceptor_never_saw_is_reported(drawn, tiny, judge):
    with pytest.warns(UserWarning, match="never saw") as record:
        score_pictures(drawn[:1], ["a zorblax"], tiny, judge)
    messages = [str(each.message) for each in record]
    assert len(messages) == 2
    assert all(
        text.endswith("it scores the other words.") and "'zorblax'" in text for text in messages
    )
    assert messages[1].startswith("judge never saw")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nope.png"], "nope.png cannot be read as a picture: No such file"),
        (["notes.txt"], "notes.txt is not a picture that can be read: unknown format."),
        (["empty"], "empty is not a run's folder: it has no picture.png."),
        (["plain.png"], "plain.png carries no settings: give a prompt."),
        (["broken.png"], "broken.png has settings that cannot be read: give a prompt."),
        (["story.png"], "The prompt of story.png is 'a cat ^ a dog': allowed"),
        (["plain.png", "--prompt", ""], "prompt must say what to paint"),
        (["plain.png", "--prompt", "a cat ^ a dog"], "prompt is 'a cat ^ a dog': allowed"),
        (["plain.png", "--prompt", "a cat | http://x.y/b.png"], "no story (^), picture or noise"),
        (["plain.png", "--prompt", "noise#3"], "no story (^), picture or noise"),
        (["plain.png", "--prompt", "a cat:1e999"], "must be a finite number, got inf"),
        (
            ["plain.png", "--device", "abacus"],
            "device must be one of auto, cpu, cuda, mps, cuda:N, got 'abacus'",
        ),
    ],
)
def test_bad_input_gets_one_sentence_before_any_model(
    arguments, sentence, tmp_path, monkeypatch, capsys, nothing_loads
):
    monkeypatch.chdir(tmp_path)
    plain = Image.new("RGB", (9, 9))
    Path("empty").mkdir()
    Path("notes.txt").write_text("a cat")
    Path("plain.png").write_bytes(as_png(plain, None))
    Path("broken.png").write_bytes(as_png(plain, {"settings": {"prompt": 3}, "updates": []}))
    story = portable(vq.Settings(prompt="a cat ^ a dog").to_dict())
    Path("story.png").write_bytes(as_png(plain, story))
    assert main(["score", *arguments]) == 2
    printed = capsys.readouterr().err
    assert sentence in printed
    assert printed.count("\n") == 1


def test_a_name_of_no_model_is_reported(capsys):
    assert main(["score", str(CASTLE), "--models", "nope"]) == 2
    assert "models is 'nope': allowed is tiny" in capsys.readouterr().err
    with pytest.raises(ValueError, match="no picture to score"):
        vq.score([], "a cat")
    with pytest.raises(ValueError, match="at least one picture and one prompt"):
        score_pictures([], ["a cat"], None)


def test_a_wrong_flag_is_reported_before_torch_is_imported():
    command = ["-m", "vqclip_nb", "score", str(CASTLE), "--precision", "fp7"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "precision must be one of auto, fp32, bf16, fp16, got 'fp7'" in done.stderr
    assert "torch" not in done.stderr
