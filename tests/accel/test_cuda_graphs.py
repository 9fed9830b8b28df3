"""When an iteration is recorded, what is played, and that the pictures are the same.

There is no GPU here: a stand-in plays a recording by computing it again, from the same buffers, as a
graph does from the same addresses.
"""

import contextlib

import pytest
import torch

import vqclip_nb as vq
from vqclip_nb.accel import cuda_graphs, executor
from vqclip_nb.accel.cuda_graphs import Recording
from vqclip_nb.accel.tensor_trees import leaves


class PlayedByHand:
    """Computes again what was recorded, and writes the result where it was promised."""

    def __init__(self, compute, loop) -> None:
        self.compute, self.loop = compute, loop
        before = _state(loop.latent)
        self.result = compute()
        self.decoded = loop.decoded() or ()
        _restore(loop.latent, before)  # recording does not run anything

    def replay(self) -> None:
        self.loop.forget()
        for place, value in zip(leaves(self.result), leaves(self.compute()), strict=True):
            place.copy_(value)
        for place, value in zip(self.decoded, self.loop.decoded() or (), strict=False):
            place.copy_(value)


def _state(latent) -> tuple:
    optimizer = {k: v.clone() for k, v in latent.optimizer.state[latent.z].items()}
    average = None if latent.average is None else latent.average.clone()
    return latent.z.detach().clone(), average, optimizer


def _restore(latent, before: tuple) -> None:
    z, average, optimizer = before
    with torch.no_grad():
        latent.z.copy_(z)
        if average is not None:
            latent.average.copy_(average)
    latent.optimizer.state[latent.z].update(optimizer)


@pytest.fixture
def recordings(monkeypatch) -> list[Recording]:
    """All that are made in a test."""
    made = []

    class Noted(Recording):
        def __init__(self, loop, inputs) -> None:
            def recorded(compute, pool):
                graph = PlayedByHand(compute, loop)
                return graph, graph.result

            monkeypatch.setattr(cuda_graphs, "_recorded", recorded)
            monkeypatch.setattr(torch.cuda, "device", lambda _: contextlib.nullcontext())
            monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 1))
            super().__init__(loop, inputs)
            made.append(self)

    monkeypatch.setattr(executor, "Recording", Noted)
    monkeypatch.setattr(executor, "can_record", lambda loop: True)
    return made


def _run(quick, tiny, **changes) -> vq.Run:
    fields = quick | {"total_iter": 9} | changes
    out = fields.pop("out")
    return vq.Run(vq.Settings(**fields), models=tiny, out=out)


@pytest.mark.parametrize(
    "changes",
    [{}, {"ema": 0.9}, {"quantizer": "gumbel"}, {"batch_size": 2, "prompt": "a cat ^ a dog"}],
    ids=str,
)
def test_played_iterations_paint_the_same(changes, quick, tiny, recordings, monkeypatch):
    played = [(it.loss, it.images()[0]) for it in _run(quick, tiny, **changes)]
    assert len(recordings) == 1
    monkeypatch.setattr(executor, "can_record", lambda loop: False)
    plain = [(it.loss, it.images()[0]) for it in _run(quick, tiny, **changes)]
    assert played == plain


def test_the_first_pictures_do_not_wait_for_a_recording(quick, tiny, recordings):
    made = [len(recordings) for _ in _run(quick, tiny)]
    assert made == [0, 0, 0, 1, 1, 1, 1, 1, 1]


def test_live_numbers_are_played_and_another_number_of_prompts_is_recorded_anew(
    quick, tiny, recordings
):
    made = []
    run = _run(quick, tiny, total_iter=14)
    for it in run:
        made.append(len(recordings))
        if it.i == 5:
            run.update(learning_rate=0.02, prompt="a green apple", w1=0.5, noise_factor=0.3)
        if it.i == 8:
            run.update(prompt="a green apple | a tree")
    # one iteration without a recording before the second is made
    assert made == [0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2]
    again = vq.generate(run.plan, models=tiny, out=quick["out"])
    assert again.images[0].tobytes() == run.images()[0].tobytes()


def test_a_term_that_begins_to_count_is_recorded_anew(quick, tiny, recordings):
    """`tv_weight` from 0 to 0.2: the loss has one more part, and the recording one more number."""
    run, terms = _run(quick, tiny), []
    for it in run:
        terms.append("tv" in it.parts)
        if it.i == 5:
            run.update(tv_weight=0.2)
    assert terms == [False] * 5 + [True] * 4
    assert len(recordings) == 2


def test_a_term_that_begins_to_count_just_before_the_recording_is_in_it(quick, tiny, recordings):
    run = _run(quick, tiny)
    for it in run:
        if it.i == 3:
            run.update(tv_weight=0.2)
    assert len(recordings) == 1
    assert "tv" in run.history[-1]


def test_a_latent_that_grows_is_recorded_anew(quick, tiny, recordings):
    for _ in _run(quick, tiny, coarse=0.5, total_iter=14):
        pass
    assert len(recordings) == 2


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (RuntimeError("operation not permitted when stream is capturing\nmore"), "not permitted"),
        (torch.OutOfMemoryError("CUDA out of memory."), "not enough memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), "not enough memory"),
    ],
    ids=["forbidden", "memory", "cublas"],
)
def test_a_recording_that_fails_is_told_and_painting_goes_on(
    error, why, quick, tiny, recordings, monkeypatch
):
    def broken(loop, inputs):
        raise error

    monkeypatch.setattr(executor, "Recording", broken)
    with pytest.warns(UserWarning, match=rf"could not record the iteration \(.*{why}"):
        result = vq.generate(models=tiny, **quick)
    assert len(result.history) == quick["total_iter"]


class Capture:
    """`torch.cuda` as far as a capture needs it; its end fails as after an invalid operation.

    forgetful: whether the allocator goes on in the pool, as in torch before 2.12
    """

    def __init__(self, monkeypatch, forgetful: bool) -> None:
        self.stream, self.pools, self.released, self.forgetful = "main", [], [], forgetful
        for name in ("stream", "graph", "current_stream", "current_device", "CUDAGraph"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, f"_{name}"))
        for name in ("_cuda_endAllocateToPool", "_cuda_releasePool"):
            monkeypatch.setattr(torch._C, name, getattr(self, name), raising=False)

    def _current_stream(self) -> str:
        return self.stream

    def _current_device(self) -> int:
        return 0

    def _CUDAGraph(self) -> object:  # noqa: N802 - torch's name
        return object()

    @contextlib.contextmanager
    def _stream(self, stream: str):
        before, self.stream = self.stream, stream
        try:
            yield
        finally:
            self.stream = before

    @contextlib.contextmanager
    def _graph(self, graph: object, pool: tuple[int, int]):
        self.stream = "capture"
        self.pools.append(pool)
        with contextlib.suppress(RuntimeError):
            yield
        if not self.forgetful:
            self.pools.remove(pool)
        raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

    def _cuda_endAllocateToPool(self, device: int, pool: tuple[int, int]) -> None:  # noqa: N802
        if pool not in self.pools:
            raise RuntimeError("endAllocatePool: not currently recording to mempool_id")
        self.pools.remove(pool)

    def _cuda_releasePool(self, device: int, pool: tuple[int, int]) -> None:  # noqa: N802
        self.released.append(pool)


@pytest.mark.parametrize("forgetful", [True, False])
def test_a_capture_that_fails_leaves_neither_stream_nor_allocator_behind(forgetful, monkeypatch):
    """Order of calls only: there is no GPU here."""
    cuda = Capture(monkeypatch, forgetful)

    def forbidden():
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="during capture"):
        cuda_graphs._recorded(forbidden, (0, 7))
    assert cuda.stream == "main"
    assert cuda.pools == []
    assert cuda.released == ([(0, 7)] if forgetful else [])


def test_a_finished_run_holds_no_recording(quick, tiny, recordings):
    run = _run(quick, tiny)
    for _ in run:
        pass
    before = run.images()[0].tobytes()
    run.extend(6)
    for _ in run:
        pass
    assert len(recordings) == 2
    assert run.images()[0].tobytes() != before
