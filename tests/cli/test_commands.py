"""The command line: paths and scores, one sentence for bad input, exit status 2."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from vqclip_nb.cli import COMMANDS, main
from vqclip_nb.settings import Settings, specs

QUICK = ["--total-iter", "4", "--show-step", "2", "--im-shape", "64", "64", "--cutn", "2"]
QUICK += ["--seed", "3", "--device", "cpu"]


def test_json_names_picture_video_and_similarities(tmp_path, capsys):
    assert main(["a red apple", *QUICK, "--out", str(tmp_path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert Image.open(facts["picture"]).size == (64, 64)
    assert Path(facts["video"]).stat().st_size > 0
    assert -1 <= facts["similarity_start"] <= 1
    assert -1 <= facts["similarity_end"] <= 1
    assert facts["seed"] == 3


def test_without_json_people_read_the_same(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["a red apple", *QUICK]) == 0
    said = capsys.readouterr()
    assert "picture     runs/" in said.out  # not the whole path of what lies below
    assert "video       runs/" in said.out
    assert "at the start" in said.out
    assert "it/s" in said.err


def test_every_field_is_a_flag_with_its_help(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help-all"])
    said = "".join(capsys.readouterr().out.split())  # argparse wraps lines, also at hyphens
    assert stopped.value.code == 0
    for name, spec in specs().items():
        if name != "prompt":
            assert f"--{name.replace('_', '-')}" in said
            assert "".join(spec.help.split()) in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith("usage: vqclip")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["a cat", "--nonsense"]])
def test_help_version_and_a_wrong_flag_load_nothing_heavy(words):
    command = [sys.executable, "-X", "importtime", "-m", "vqclip_nb", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == (2 if "--nonsense" in words else 0)
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "vqclip_nb.settings" in loaded
    assert not {"torch", "IPython", "ipywidgets", "matplotlib"} & loaded


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([""], "prompt must say what to paint"),
        (
            ["a cat", "--total-iter", "0"],
            "total_iter must be a whole number from 1 to 100000, got 0",
        ),
        (["a cat", "--total-iter", "-3"], "got -3"),
        (["a cat", "--total-iter", "many"], "got 'many'"),
        (["a cat", "--w1", "nan"], "w1 must be a number from -10 to 10, got nan"),
        (["a cat", "--im-shape", "64"], "sides from 32 to 4096, got [64]"),
        (["a cat", "--models", "nope"], "models is 'nope': allowed is tiny"),
        (
            ["a cat", "--preset", "nope"],
            "preset must be one of studio, classic, crowson, nerdyrodent, robust, got 'nope'",
        ),
        (["a cat", "--out", "/dev/null/x"], "out is '/dev/null/x'"),
        (["a cat", "-o", "apple.txt"], "-o is 'apple.txt': give the name of a .png file"),
        (["a cat", "-o", "/nowhere/apple.png"], "give a file in a folder that you may write to"),
        (["sweep", "/nowhere.txt"], "/nowhere.txt"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(arguments, sentence, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_a_process_prints_no_traceback_and_loads_no_torch_for_bad_input():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "vqclip_nb", "a cat", "--w2", "inf"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "w2 must be a number from -10 to 10, got inf." in done.stderr
    assert "Traceback" not in done.stderr
    assert "torch" not in done.stderr


def test_flags_become_settings(tmp_path, capsys):
    flags = ["--extras", "the sun", "--w2", "0.5", "--out", str(tmp_path), "--json"]
    main(["a cat", *QUICK, *flags])
    picture = json.loads(capsys.readouterr().out)["picture"]
    settings = Settings.from_png(picture)
    assert (settings.extras, settings.w2, settings.im_shape) == ("the sun", 0.5, (64, 64))


def test_o_writes_the_pictures_under_that_name(tmp_path, capsys):
    file = tmp_path / "apple.png"
    flags = ["--batch-size", "2", "--out", str(tmp_path / "runs"), "-o", str(file), "--json"]
    assert main(["a cat", *QUICK, *flags]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["picture"] == str(file)
    for name, own in (("apple.png", "picture.png"), ("apple_1.png", "picture_1.png")):
        assert (tmp_path / name).read_bytes() == (Path(facts["folder"]) / own).read_bytes()
    assert Settings.from_png(file).prompt == "a cat"


def test_sweep_paints_every_line_and_a_sheet(tmp_path, capsys):
    (tmp_path / "prompts.txt").write_text("# fruit\na red apple\n\na lemon\n")
    arguments = ["sweep", str(tmp_path / "prompts.txt"), *QUICK, "--out", str(tmp_path / "sheet")]
    assert main([*arguments, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [Settings.from_png(p).prompt for p in facts["pictures"]] == ["a red apple", "a lemon"]
    assert Image.open(facts["sheet"]).width > 128


def test_a_file_without_prompts_is_refused(tmp_path, capsys):
    (tmp_path / "empty.txt").write_text("# nothing\n")
    assert main(["sweep", str(tmp_path / "empty.txt")]) == 2
    assert "has no prompt" in capsys.readouterr().err


def test_models_lists_what_there_is_and_what_it_costs(capsys):
    assert main(["models", "--json"]) == 0
    rows = {(row["kind"], row["name"]): row for row in json.loads(capsys.readouterr().out)}
    assert rows["VQGAN", "tiny"]["cost"] == "in the package"
    assert rows["VQGAN", "imagenet_f16_16384"]["cost"] == "980 MB to fetch"
    assert main(["models"]) == 0
    assert "ViT-L/14@336px" in capsys.readouterr().out


def test_offline_says_what_is_missing(tmp_path, capsys):
    words = ["a cat", "--models", "coco", "--offline", "--out", str(tmp_path)]
    assert main(words) == 2
    assert "coco is not in" in capsys.readouterr().err


def test_help_shows_the_commands_first_and_the_usual_flags_only(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    for command in COMMANDS[1:]:
        assert f"  vqclip {command}" in said[: said.index("--extras")]
    assert "--learning-rate" in said
    assert "--beta1" not in said
    assert said.count("\n") < 90


MISTYPED = [
    (["a cat", "--total-itr", "3"], "--total-itr is not a flag: did you mean --total-iter?"),
    (["a cat", "--lerning-rate=1"], "did you mean --learning-rate?"),
    (["a cat", "--xyzzy"], "--xyzzy is not a flag."),
    (["a", "cat"], "'cat' is one word too many: put a sentence of several words in quotes."),
    ([], "the following arguments are required: prompt."),
    (["sweep"], "the following arguments are required: FILE."),
    (["video", "runs/x", "--fsp", "3"], "did you mean --fps?"),
]


@pytest.mark.parametrize(("words", "says"), MISTYPED)
def test_a_mistyped_flag_gets_one_sentence_that_names_the_one_that_was_meant(words, says, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    said = capsys.readouterr().err
    assert stopped.value.code == 2
    assert says in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("number", ["-1.1e1", "-2.5E+1", "-.5e2"])
def test_a_negative_number_may_have_an_exponent(number, capsys):
    assert main(["a cat", "--w1", number]) == 2
    assert f"w1 must be a number from -10 to 10, got {float(number)}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "meant"), [("modles", "models"), ("sweeep", "sweep"), ("pgae", "page")]
)
def test_a_mistyped_command_is_not_painted(word, meant, capsys):
    assert main([word]) == 2
    assert (
        f"did you mean {meant}? To paint it, write vqclip paint {word}." in capsys.readouterr().err
    )


@pytest.mark.parametrize("word", ["beach", "paints", "a page", "videos", "modles in a row"])
def test_a_word_that_is_like_a_command_is_painted(word, capsys):
    assert main([word, "--cutn", "0"]) == 2
    assert "cutn must be" in capsys.readouterr().err  # the next check, so the word is a prompt


def test_quiet_prints_only_the_file_and_open_opens_it(tmp_path, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["a red apple", *QUICK, "--out", str(tmp_path), "--quiet", "--open"]) == 0
    said = capsys.readouterr()
    picture = Path(said.out.strip())
    assert opened == [picture.as_uri()]
    assert Image.open(picture).size == (64, 64)
    assert said.err == ""


def test_a_sweep_shows_the_run_inside_it(tmp_path, capsys):
    (tmp_path / "prompts.txt").write_text("a red apple\na lemon\n")
    assert main(["sweep", str(tmp_path / "prompts.txt"), *QUICK, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert "2/2" in said  # runs
    assert "/4 [" in said  # iterations


COMPLETED = [
    ("vqclip mo", {"models", "morph"}),
    ("vqclip 'a cat' --learn", {"--learning-rate"}),
    ("vqclip sweep prompts.txt --col", {"--columns"}),
    ("vqclip video --pi", {"--ping-pong"}),
]


@pytest.mark.parametrize(("line", "words"), COMPLETED)
def test_a_shell_completes_commands_and_flags(line, words, tmp_path):
    env = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "IFS": "\013"}
    env |= {"COMP_TYPE": "9", "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "words")}
    command = [sys.executable, "-m", "vqclip_nb"]
    subprocess.run(command, env=os.environ | env, check=True, cwd=tmp_path)
    found = (tmp_path / "words").read_text().split("\013")
    assert {word.strip() for word in found} == words
