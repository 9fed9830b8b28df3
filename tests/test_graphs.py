"""When an iteration is recorded, what is played, and that the pictures are the same.

There is no GPU here: a stand-in plays a recording by computing it again, from the same buffers, as a
graph does from the same addresses.
"""

import pytest
import torch

import vqclip_nb as vq
from vqclip_nb import graphs, painter
from vqclip_nb.graphs import Recording


class PlayedByHand:
    """Computes again what was recorded, and writes the result where it was promised."""

    def __init__(self, compute, canvas) -> None:
        self.compute, self.canvas = compute, canvas
        before = _state(canvas)
        self.result = compute()
        self.decoded = canvas.decoded() or ()
        _restore(canvas, before)  # to record is not yet to do

    def replay(self) -> None:
        self.canvas.forget()
        self.result.copy_(self.compute())
        for place, value in zip(self.decoded, self.canvas.decoded() or (), strict=False):
            place.copy_(value)

    def pool(self) -> None:
        """Its memory."""


def _state(canvas) -> tuple:
    optimizer = {k: v.clone() for k, v in canvas.optimizer.state[canvas.z].items()}
    average = None if canvas.average is None else canvas.average.clone()
    return canvas.z.detach().clone(), average, optimizer


def _restore(canvas, before: tuple) -> None:
    z, average, optimizer = before
    with torch.no_grad():
        canvas.z.copy_(z)
        if average is not None:
            canvas.average.copy_(average)
    canvas.optimizer.state[canvas.z].update(optimizer)


@pytest.fixture
def recordings(monkeypatch) -> list[Recording]:
    """All that are made in a test."""
    made = []

    class Noted(Recording):
        def __init__(self, step, inputs) -> None:
            def recorded(compute, pool=None):
                graph = PlayedByHand(compute, step.canvas)
                return graph, graph.result

            monkeypatch.setattr(graphs, "_recorded", recorded)
            super().__init__(step, inputs)
            made.append(self)

    monkeypatch.setattr(painter, "Recording", Noted)
    monkeypatch.setattr(painter, "can_record", lambda step: True)
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
    monkeypatch.setattr(painter, "can_record", lambda step: False)
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


def test_a_latent_that_grows_is_recorded_anew(quick, tiny, recordings):
    for _ in _run(quick, tiny, coarse=0.5, total_iter=14):
        pass
    assert len(recordings) == 2


def test_a_recording_that_fails_is_told_and_painting_goes_on(quick, tiny, recordings, monkeypatch):
    def broken(step, inputs):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(painter, "Recording", broken)
    with pytest.warns(UserWarning, match="could not record the iteration"):
        result = vq.generate(models=tiny, **quick)
    assert len(result.history) == quick["total_iter"]


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
