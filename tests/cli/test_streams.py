"""Commands whose standard streams are closed, read by nobody, narrow or in another encoding."""

import json
import os
import subprocess
import sys

import pytest

QUICK = '"a red apple" --seed 1 --im-shape 64 64 --cutn 1 --total-iter 2 --device cpu --out runs'


def _shell(command: str, folder, **variables: str) -> subprocess.CompletedProcess:
    paint = f"{sys.executable} -m vqclip_nb"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command.format(vqclip=paint, quick=QUICK)}"],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_closed_streams_change_no_painting(closed, tmp_path):
    done = _shell("{vqclip} {quick} " + closed, tmp_path)
    assert done.returncode == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "timelapse.mp4").is_file()
    assert len((run / "history.csv").read_text().splitlines()) == 3


def test_a_reader_that_has_gone_ends_the_command_without_a_word(tmp_path):
    done = _shell("({vqclip} models; echo status $? >&2) | true", tmp_path)
    assert done.stderr == "status 141\n"


def test_json_alone_is_printed_on_standard_output(tmp_path):
    done = _shell("{vqclip} {quick} --json", tmp_path)
    assert json.loads(done.stdout)["iterations"] == 2


def test_a_path_that_the_encoding_lacks_is_printed_all_the_same(tmp_path):
    done = _shell("{vqclip} {quick}/ä", tmp_path, LC_ALL="C", PYTHONIOENCODING="ascii")
    assert (done.returncode, "runs/\\xe4/" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("columns", ["1", "20"])
def test_help_fits_a_narrow_terminal(columns, tmp_path):
    for command in ("", "sweep", "page", "bench"):
        done = _shell(f"{{vqclip}} {command} --help", tmp_path, COLUMNS=columns)
        assert (done.returncode, done.stderr) == (0, "")
