"""Shared fixtures: the embedded pair, loaded once, files of random small models, a browser."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # a core for each worker, and what it starts
    os.environ["OMP_NUM_THREADS"] = "1"

import vqclip_nb as vq  # before torch: it says how threads wait

# isort: split
import contextlib
import functools
import gc
import http.server
import io
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import clip.model
import hypothesis
import pytest
import torch
import yaml
from taming.modules.diffusionmodules.model import Decoder, Encoder
from taming.modules.discriminator.model import NLayerDiscriminator
from taming.modules.vqvae.quantize import VectorQuantizer2

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)  # a core for each worker
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
hypothesis.settings.register_profile("no clock", deadline=None)
hypothesis.settings.load_profile("no clock")


@pytest.fixture(autouse=True)
def _no_cache(tmp_path, monkeypatch):
    """No test sees, or leaves, models in the user's own cache."""
    monkeypatch.setenv("VQCLIP_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _same_threads():
    """A run's `threads` stay with its process; the next test has those of the first."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny() -> vq.Models:
    models = vq.load_models("tiny", device="cpu")
    # a run ends with a garbage collection; without what is there for good it takes no 0.2 s
    gc.collect()
    gc.freeze()
    return models


@pytest.fixture
def web(tmp_path, monkeypatch) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which a server of this machine serves its files."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("VQCLIP_LOCAL_NETWORK", "1")
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def quick(tmp_path) -> dict:
    """Keyword arguments of a run that takes a second."""
    return {"total_iter": 6, "show_step": 3, "im_shape": (64, 64), "cutn": 4, "seed": 5} | {
        "out": tmp_path / "runs",
        "device": "cpu",
    }


CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
CHROMIUM += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
CHROMIUM += ["--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"]


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing: .ci/run installs it.")
        pytest.skip("chromium is not installed: on Debian, apt-get install chromium.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1500, "height": 1300})
    yield page
    page.close()


@dataclass
class TamingByHand:
    """A whole VQGAN of taming's own modules, put together without this package."""

    encoder: Encoder
    decoder: Decoder
    quantize: VectorQuantizer2
    quant_conv: torch.nn.Conv2d
    post_quant_conv: torch.nn.Conv2d
    discriminator: NLayerDiscriminator

    def state_dict(self) -> dict:
        state = {}
        for name, module in vars(self).items():
            prefix = "loss.discriminator." if name == "discriminator" else f"{name}."
            state |= {prefix + key: value for key, value in module.state_dict().items()}
        return state


@pytest.fixture(scope="session")
def taming_files(tmp_path_factory) -> tuple[Path, TamingByHand]:
    """A taming `.ckpt` with its `.yaml`, whole architecture at a small width, and its modules."""
    torch.manual_seed(7)
    shape = {"double_z": False, "z_channels": 32, "resolution": 64, "in_channels": 3, "out_ch": 3}
    shape |= {"ch": 32, "ch_mult": [1, 1, 2], "num_res_blocks": 1, "attn_resolutions": [16]}
    shape |= {"dropout": 0.0}
    with contextlib.redirect_stdout(io.StringIO()):
        hand = TamingByHand(
            Encoder(**shape),
            Decoder(**shape),
            VectorQuantizer2(48, 16, beta=0.25),
            torch.nn.Conv2d(32, 16, 1),
            torch.nn.Conv2d(16, 32, 1),
            NLayerDiscriminator(3, ndf=16, n_layers=2),
        )
    hand.quantize.embedding.weight.data.normal_(std=0.3)
    hand.discriminator.eval()
    folder = tmp_path_factory.mktemp("taming")
    loss = {"target": "taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator"}
    loss |= {"params": {"disc_num_layers": 2, "disc_ndf": 16, "disc_in_channels": 3}}
    params = {"embed_dim": 16, "n_embed": 48, "ddconfig": shape, "lossconfig": loss}
    described = {"model": {"target": "taming.models.vqgan.VQModel", "params": params}}
    (folder / "model.yaml").write_text(yaml.safe_dump(described))
    # Lightning's checkpoints hold more than weights; LPIPS weights ride along unused
    extra = {"loss.perceptual_loss.lin0.model.1.weight": torch.zeros(1, 64, 1, 1)}
    saved = {"state_dict": hand.state_dict() | extra, "epoch": 3, "global_step": 99}
    torch.save(saved, folder / "model.ckpt")
    return folder / "model.ckpt", hand


@pytest.fixture(scope="session")
def clip_model() -> clip.model.CLIP:
    """A randomly initialised CLIP of OpenAI's architecture, small."""
    torch.manual_seed(8)
    model = clip.model.CLIP(
        embed_dim=64,
        image_resolution=64,
        vision_layers=(1, 1, 1, 1),
        vision_width=16,
        vision_patch_size=None,
        context_length=77,
        vocab_size=49408,
        transformer_width=64,
        transformer_heads=1,
        transformer_layers=2,
    )
    return model.eval()
