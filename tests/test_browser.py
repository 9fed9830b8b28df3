"""What a browser makes of the files: the film plays."""

import os
import shutil

import pytest

import vqclip_nb as vq

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
ARGUMENTS += ["--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"]


@pytest.fixture(scope="module")
def page():
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing: .ci/run installs it.")
        pytest.skip("chromium is not installed: on Debian, apt-get install chromium.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser.new_page()
        browser.close()


@pytest.mark.slow
def test_chromium_plays_the_timelapse_to_its_end(page, quick, tiny, tmp_path):
    result = vq.generate("a red apple", models=tiny, **(quick | {"total_iter": 45}))
    (tmp_path / "page.html").write_text(
        f'<video src="{(result.folder / "timelapse.mp4").as_uri()}" muted autoplay></video>'
    )
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_function("document.querySelector('video').ended", timeout=30_000)
    seen = page.evaluate(
        "(v => [v.currentTime, v.videoWidth, v.videoHeight])(document.querySelector('video'))"
    )
    assert seen == [pytest.approx(1.5, abs=0.1), 64, 64]
