"""What pupils answer, and what `check` says to each: a table."""

import pytest
import torch
from torch.nn import functional as F

from vqclip_nb.lessons.checks import (
    HALFWAY,
    NEAR,
    OPEN,
    RIGHT,
    WRONG,
    check,
    grade,
    lesson_10,
    lesson_11,
)
from vqclip_nb.lessons.drawings import load_drawings


@pytest.fixture(autouse=True)
def _models_are_loaded_once(tiny, monkeypatch):
    for lesson in (lesson_10, lesson_11):
        monkeypatch.setattr(lesson, "load_models", lambda name, device: tiny)


def unwritten(*_): ...


def only_a_text(*_):
    """To do."""


def forgotten(*inputs):
    found = inputs[0] * 2
    print(found)


def fails(*_):
    raise KeyError("something")


def ends_the_program(*_):
    raise SystemExit


class UnprintableError(Exception):
    def __str__(self):
        raise ValueError


def fails_without_words(*_):
    raise UnprintableError


NUMBERS = ("10.1", "12.1", "13.1", "13.4", "10.5")
CHOICES = ("10.3", "11.4", "12.3", "12.6", "13.6")
FUNCTIONS = ("10.2", "10.4", "11.1", "11.2", "11.3", "11.5", "12.2", "12.4", "12.5", "13.2")
FUNCTIONS += ("13.3", "13.5")

OF_A_KIND = [
    (NUMBERS + CHOICES + FUNCTIONS, None, OPEN, "replace the dots"),
    (NUMBERS + CHOICES + FUNCTIONS, ..., OPEN, "replace the dots"),
    (NUMBERS[:4], "many", WRONG, "answer with a number, e.g. 42."),
    (NUMBERS[:4], float("nan"), WRONG, "answer with a number, e.g. 42."),
    (NUMBERS[:4], [1, 2], WRONG, "answer with a number, e.g. 42."),
    (NUMBERS[:4], 10**400, WRONG, "answer with a number, e.g. 42."),
    (CHOICES, "no idea", WRONG, "answer with one of: "),
    (CHOICES, 3, WRONG, "answer with one of: "),
    (FUNCTIONS, unwritten, OPEN, "does not return a value yet"),
    (FUNCTIONS, only_a_text, OPEN, "does not return a value yet"),
    (FUNCTIONS, lambda *_: None, OPEN, "does not return a value yet"),
    (FUNCTIONS, forgotten, HALFWAY, "begin its last line with `return`"),
    (FUNCTIONS, 3.5, WRONG, "answer with your function: its name, without brackets"),
    (FUNCTIONS, lambda: 1, WRONG, "inputs, as in the exercise"),
    (FUNCTIONS, fails, WRONG, "KeyError: 'something'"),
    (FUNCTIONS, ends_the_program, WRONG, "SystemExit"),
    (FUNCTIONS, fails_without_words, WRONG, "UnprintableError: UnprintableError"),
    (FUNCTIONS, lambda *_: "text", WRONG, ""),
]

DETACHED = torch.Tensor.detach


def in_place(average, z, decay):
    return average.lerp_(z, 1 - decay)


def directions(c, s):
    right = torch.arange(len(c))
    return F.cross_entropy(s * c, right), F.cross_entropy(s * c.T, right)


def gradients(loss, layers):
    parts = torch.autograd.grad(loss, layers, retain_graph=True)
    return torch.cat([part.flatten() for part in parts])


def cosines(pictures, sentences):
    clip = lesson_11.load_models("tiny", "cpu").perceptors[0]
    images = F.normalize(clip.encode_image(pictures), dim=1)
    return images @ F.normalize(clip.encode_text(sentences), dim=1).T


def angle(emb, target):
    return F.cosine_similarity(emb, target).arccos()


def chord(emb, target):
    return ((emb - target).norm(dim=1) / 2).arcsin().square() * 2


ANSWERS = [
    ("10.1", 3328, RIGHT, "256 of them"),
    ("10.1", 3328.0, RIGHT, "13 yes-or-no questions"),
    ("10.1", "3,328", RIGHT, ""),
    ("10.1", torch.tensor(3328), RIGHT, ""),
    ("10.1", 3330, NEAR, "too large"),
    ("10.1", 3325, NEAR, "too small"),
    ("10.1", 13, HALFWAY, "for one code"),
    ("10.1", 256, HALFWAY, "how many bits does each take"),
    ("10.1", 208, HALFWAY, "one row"),
    ("10.1", 416, HALFWAY, "bytes"),
    ("10.1", 256 * 8192, HALFWAY, "do not multiply by 8,192"),
    ("10.1", 8192, WRONG, "how many codes are on the page"),
    ("10.1", 0, WRONG, ""),
    ("10.1", True, WRONG, ""),
    ("10.2", lambda z, c: torch.cdist(z, c).argmin(1), RIGHT, "smallest distance"),
    ("10.2", lambda z, c: [int((c - v).norm(dim=1).argmin()) for v in z], RIGHT, ""),
    ("10.2", lambda z, c: ((z[:, None] - c) ** 2).sum(2).argmin(1).int(), RIGHT, ""),
    ("10.2", torch.cdist, HALFWAY, "you have all distances"),
    ("10.2", lambda z, c: torch.cdist(z, c).amin(1), NEAR, "the smallest distances"),
    ("10.2", lambda z, c: c[torch.cdist(z, c).argmin(1)], NEAR, "return their numbers"),
    ("10.2", lambda z, c: torch.cdist(z, c).argmax(1), NEAR, "farthest"),
    ("10.2", lambda z, c: (z @ c.T).argmax(1), NEAR, "dot product"),
    ("10.2", lambda z, c: torch.cdist(z, c).argmin(0), WRONG, "50 vectors need 50 numbers"),
    ("10.2", lambda z, c: torch.zeros(50), WRONG, "on paper"),
    ("10.3", "accordion", RIGHT, "different codes"),
    ("10.3", " Accordion ", RIGHT, ""),
    ("10.3", "'accordion'", RIGHT, ""),
    ("10.3", "pencil", WRONG, "Count its codes"),
    ("10.3", "octopus", WRONG, "answer with one of: pencil, accordion."),
    ("10.4", lambda z, c: z + (c - z).detach(), RIGHT, "backwards it is as if they were z"),
    ("10.4", lambda z, c: c + z - z.detach(), RIGHT, ""),
    ("10.4", lambda z, c: c, HALFWAY, "no gradient reaches z"),
    ("10.4", lambda z, c: c + 0 * z.detach(), HALFWAY, "no gradient reaches z"),
    ("10.4", lambda z, c: z + c - z, NEAR, "the gradient of z is [0.0, 0.0, 0.0]"),
    ("10.4", lambda z, c: c + 2 * (z - z.detach()), NEAR, "the gradient of z is [2.0, 2.0, 2.0]"),
    ("10.4", lambda z, c: z, WRONG, "this is z"),
    ("10.4", lambda z, c: z.detach() + c, WRONG, "the value of the codes"),
    ("10.4", lambda z, c: 1.0, WRONG, "of the same shape"),
    ("10.5", "many", WRONG, "answer with the number of a code"),
    ("10.5", -1, WRONG, "not on the page"),
    ("11.1", lambda a, b: (a @ b) / (a.norm() * b.norm()), RIGHT, "only the angle"),
    ("11.1", lambda a, b: F.cosine_similarity(a, b, dim=0).item(), RIGHT, ""),
    ("11.1", lambda a, b: F.normalize(a, dim=0) @ F.normalize(b, dim=0), RIGHT, ""),
    ("11.1", lambda a, b: a @ b, HALFWAY, "dot product"),
    ("11.1", lambda a, b: a * b, HALFWAY, "one cosine, not 3"),
    ("11.1", lambda a, b: (a @ b) / a.norm(), NEAR, "you divided by one length"),
    ("11.1", lambda a, b: (a @ b) / b.norm(), NEAR, "you divided by one length"),
    ("11.1", lambda a, b: (a @ b) / ((a @ a) * (b @ b)), NEAR, "a root is missing"),
    ("11.1", lambda a, b: 1 - F.cosine_similarity(a, b, dim=0), NEAR, "a distance"),
    ("11.1", lambda a, b: (a - b).norm(), WRONG, "8/9"),
    ("11.1", lambda a, b: 8 / 9, WRONG, "8/9"),
    ("11.2", lambda c, t: (c / t).softmax(0), RIGHT, "the largest takes most"),
    ("11.2", lambda c, t: (c / t).exp() / (c / t).exp().sum(), RIGHT, ""),
    ("11.2", lambda c, t: (c * t).softmax(0), NEAR, "more equal, not less"),
    ("11.2", lambda c, t: c.softmax(0) / t, NEAR, "divide before softmax"),
    ("11.2", lambda c, t: c.softmax(0), HALFWAY, "do not depend on the temperature"),
    ("11.2", lambda c, t: c / t, HALFWAY, "not yet shares"),
    ("11.2", lambda c, t: (c / t).exp(), HALFWAY, "sum to 1"),
    ("11.2", lambda c, t: (c / t).softmax(0).max(), WRONG, "three shares"),
    ("11.2", lambda c, t: c / c.sum(), WRONG, "positive"),
    ("11.3", lambda c, s: sum(directions(c, s)) / 2, RIGHT, "each sentence its picture"),
    ("11.3", lambda c, s: float(sum(directions(c, s))) / 2, RIGHT, ""),
    ("11.3", lambda c, s: directions(c, s)[0], HALFWAY, "one direction"),
    ("11.3", lambda c, s: directions(c, s)[1], HALFWAY, "one direction"),
    ("11.3", lambda c, s: sum(directions(c, s)), NEAR, "the sum of both"),
    ("11.3", lambda c, s: sum(directions(c, 1)) / 2, NEAR, "without the scale"),
    ("11.3", lambda c, s: -sum(directions(c, s)) / 2, NEAR, "the sign"),
    ("11.3", lambda c, s: s * c, WRONG, "a loss is one number, not 9"),
    ("11.3", lambda c, s: -c.trace(), WRONG, "at a large scale the loss is 0"),
    ("11.4", "c", RIGHT, "says more"),
    ("11.4", "C", RIGHT, ""),
    ("11.4", "a", WRONG, "compute all three"),
    ("11.4", "b", WRONG, "compute all three"),
    ("11.4", "a cat", WRONG, "answer with one of: a, b, c."),
    ("11.5", lambda p, s: cosines(p, s).argmax(1), RIGHT, "without training"),
    ("11.5", lambda p, s: cosines(p, s).argmax(1).tolist(), RIGHT, ""),
    ("11.5", cosines, HALFWAY, "you have all cosines"),
    ("11.5", lambda p, s: cosines(p, s).argmax(0), NEAR, "turn it around"),
    ("11.5", lambda p, s: [s[i] for i in cosines(p, s).argmax(1)], NEAR, "return their numbers"),
    ("11.5", lambda p, s: cosines(p, s).argmin(1), WRONG, "the largest cosine"),
    ("11.5", lambda p, s: 0, WRONG, "12 pictures need 12 numbers"),
    ("12.1", 8192, RIGHT, "16 × 16 vectors"),
    ("12.1", "8192", RIGHT, ""),
    ("12.1", 8190, NEAR, "too small"),
    ("12.1", 12 * 12 * 32, NEAR, "96 x 96"),
    ("12.1", 256, HALFWAY, "the number of vectors"),
    ("12.1", 32, HALFWAY, "in one vector"),
    ("12.1", 16, HALFWAY, "in a row"),
    ("12.1", 512, HALFWAY, "one row"),
    ("12.1", 128 * 128 * 3, HALFWAY, "the picture itself"),
    ("12.1", 128 * 128, WRONG, "8 × 8 pixels"),
    ("12.2", lambda e, t: angle(e, t) ** 2 / 2, RIGHT, "half the squared angle"),
    ("12.2", lambda e, t: angle(e, t), HALFWAY, "the angle itself"),
    ("12.2", lambda e, t: F.cosine_similarity(e, t), HALFWAY, "which angle has it"),
    ("12.2", lambda e, t: 1 - F.cosine_similarity(e, t), HALFWAY, "one minus the cosine"),
    ("12.2", lambda e, t: angle(e, t) ** 2, NEAR, "twice the distance"),
    ("12.2", chord, NEAR, "right for unit vectors"),
    ("12.2", lambda e, t: (angle(e, t) ** 2 / 2).mean(), WRONG, "4 embeddings need 4 numbers"),
    ("12.2", lambda e, t: (e - t).norm(dim=1), WRONG, "π²/8"),
    ("12.3", "whole", RIGHT, "what fools CLIP in one view"),
    ("12.3", "one crop", WRONG, "from one iteration to the next"),
    ("12.3", "both", WRONG, "answer with one of: whole, one crop."),
    ("12.4", lambda p, x, w1, w2: F.normalize(w1 * p + w2 * x, dim=1), RIGHT, "direction"),
    ("12.4", lambda p, x, w1, w2: (w1 * p + w2 * x) / (w1 * p + w2 * x).norm(), RIGHT, ""),
    ("12.4", lambda p, x, w1, w2: w1 * p + w2 * x, HALFWAY, "not normalised"),
    (
        "12.4",
        lambda p, x, w1, w2: w1 * F.normalize(p) + w2 * F.normalize(x),
        HALFWAY,
        "normalise only the sum",
    ),
    (
        "12.4",
        lambda p, x, w1, w2: F.normalize(w1 * F.normalize(p) + w2 * F.normalize(x)),
        NEAR,
        "before the blend",
    ),
    ("12.4", lambda p, x, w1, w2: F.normalize(w1 * p + x), NEAR, "w2 has no effect"),
    ("12.4", lambda p, x, w1, w2: F.normalize(w2 * p + w1 * x), NEAR, "swapped"),
    ("12.4", lambda p, x, w1, w2: F.normalize(p), HALFWAY, "the extras have no effect"),
    ("12.4", lambda p, x, w1, w2: F.normalize(p + w2 * x), NEAR, "right for w1 = 1"),
    ("12.4", lambda p, x, w1, w2: F.normalize(p - w2 * x), WRONG, "try w2 = 0"),
    ("12.4", lambda p, x, w1, w2: p @ x.T, WRONG, "the shape [1, E]"),
    ("12.5", lambda a, z, d: d * a + (1 - d) * z, RIGHT, "add up to 1"),
    ("12.5", lambda a, z, d: a + (1 - d) * (z - a), RIGHT, ""),
    ("12.5", lambda a, z, d: torch.lerp(a, z, 1 - d), RIGHT, ""),
    ("12.5", in_place, NEAR, "modifies the old average"),
    ("12.5", lambda a, z, d: (1 - d) * a + d * z, NEAR, "swapped"),
    ("12.5", lambda a, z, d: d * a + z, NEAR, "do not sum to one"),
    ("12.5", lambda a, z, d: a + (1 - d) * z, NEAR, "do not sum to one"),
    ("12.5", lambda a, z, d: d * a, HALFWAY, "add the other"),
    ("12.5", lambda a, z, d: (a + z) / 2, HALFWAY, "whatever the decay"),
    ("12.5", lambda a, z, d: z - a, WRONG, "nothing should change"),
    ("12.5", lambda a, z, d: a @ z, WRONG, "keep its shape"),
    ("12.6", "arc", RIGHT, "57.3 degrees"),
    ("12.6", "cosine", WRONG, "which is smaller"),
    ("12.6", "same", WRONG, "which is smaller"),
    ("13.1", 24576 / 448, RIGHT, "64 codes of 7 bits"),
    ("13.1", 55, RIGHT, ""),
    ("13.1", 54, NEAR, "too small"),
    ("13.1", 448 / 24576, NEAR, "inverse"),
    ("13.1", 3072 / 448, NEAR, "a byte has 8 bits"),
    ("13.1", 7, HALFWAY, "one code"),
    ("13.1", 64, HALFWAY, "the codes on the page"),
    ("13.1", 448, HALFWAY, "the bits of the page"),
    ("13.1", 3072, HALFWAY, "the picture's bytes"),
    ("13.1", 24576, HALFWAY, "the bits of the picture"),
    ("13.1", 24576 / 64, WRONG, "how many does one of 128 codes take"),
    (
        "13.2",
        lambda z, c: F.mse_loss(z, c.detach()) + 0.25 * F.mse_loss(c, z.detach()),
        RIGHT,
        "a quarter",
    ),
    (
        "13.2",
        lambda z, c: 0.25 * F.mse_loss(z, c.detach()) + F.mse_loss(c, z.detach()),
        NEAR,
        "the lesson's version",
    ),
    ("13.2", lambda z, c: F.mse_loss(z, c), HALFWAY, "of equal strength"),
    ("13.2", lambda z, c: 1.25 * F.mse_loss(z, c), NEAR, "move equally"),
    ("13.2", lambda z, c: F.mse_loss(z, c.detach()), HALFWAY, "no gradient reaches codes"),
    ("13.2", lambda z, c: F.mse_loss(c, z.detach()), HALFWAY, "no gradient reaches z"),
    (
        "13.2",
        lambda z, c: ((z - c.detach()) ** 2).sum() + 0.25 * ((c - z.detach()) ** 2).sum(),
        NEAR,
        "take the mean",
    ),
    ("13.2", lambda z, c: (z - c) ** 2, WRONG, "a single number that has a gradient"),
    ("13.2", lambda z, c: F.mse_loss(z, c).item(), WRONG, "has a gradient"),
    ("13.2", lambda z, c: (z - c).abs().mean() * 3 + z.mean(), WRONG, "how strongly"),
    ("13.3", lambda i, n: n - len(i.unique()), RIGHT, "all codes of the codebook"),
    ("13.3", lambda i, n: len(set(range(n)) - set(i.flatten().tolist())), RIGHT, ""),
    ("13.3", lambda i, n: (torch.bincount(i.flatten(), minlength=n) == 0).sum(), RIGHT, ""),
    ("13.3", lambda i, n: len(i.unique()), HALFWAY, "that are used"),
    ("13.3", lambda i, n: i.unique(), HALFWAY, "how many are there"),
    ("13.3", lambda i, n: i.max() + 1 - len(i.unique()), NEAR, "the last codes"),
    ("13.3", lambda i, n: n - i.numel(), NEAR, "is used once"),
    ("13.3", lambda i, n: i, WRONG, "one number"),
    ("13.3", lambda i, n: n, WRONG, "are used in the test"),
    ("13.4", 0.35, RIGHT, "cost nothing"),
    ("13.4", "0.35", RIGHT, ""),
    ("13.4", 0.36, NEAR, "too large"),
    ("13.4", 0.7, NEAR, "take half"),
    ("13.4", 0.8, HALFWAY, "the painted ones"),
    ("13.4", 0.6, HALFWAY, "the drawn ones"),
    ("13.4", 0.4, HALFWAY, "the mean of the drawn"),
    ("13.4", 0.3, HALFWAY, "the mean of the painted"),
    ("13.4", 1.4, HALFWAY, "take the means"),
    ("13.4", -0.35, WRONG, "on the wrong side"),
    (
        "13.5",
        lambda p, r, y: gradients(p, y).norm() / gradients(r, y).norm(),
        RIGHT,
        "as long as that of the pixels",
    ),
    ("13.5", lambda p, r, y: gradients(r, y).norm() / gradients(p, y).norm(), NEAR, "inverse"),
    (
        "13.5",
        lambda p, r, y: (gradients(p, y) ** 2).sum() / (gradients(r, y) ** 2).sum(),
        NEAR,
        "a root is missing",
    ),
    (
        "13.5",
        lambda p, r, y: (
            sum(gradients(p, [e]).norm() for e in y) / sum(gradients(r, [e]).norm() for e in y)
        ),
        NEAR,
        "norms do not add",
    ),
    (
        "13.5",
        lambda p, r, y: gradients(p, y[-1:]).norm() / gradients(r, y[-1:]).norm(),
        HALFWAY,
        "a single layer",
    ),
    ("13.5", lambda p, r, y: gradients(p, y).norm(), HALFWAY, "divide by the other"),
    ("13.5", lambda p, r, y: gradients(p, y), HALFWAY, "one number for all layers"),
    ("13.5", lambda p, r, y: 1.0, WRONG, "all its gradients together"),
    ("13.6", "commitment", RIGHT, "never a nearer one"),
    ("13.6", "Pixels", WRONG, "depends only on"),
    ("13.6", "realism", WRONG, "depends only on"),
]
ANSWERS += [(n, answer, mark, said) for kind, answer, mark, said in OF_A_KIND for n in kind]


@pytest.mark.parametrize(("number", "answer", "mark", "said"), ANSWERS)
def test_an_answer_gets_its_mark_and_a_reason(number, answer, mark, said):
    verdict = grade(number, answer)
    assert (verdict.mark, said in verdict.hint) == (mark, True), verdict
    assert verdict.hint.endswith((".", "?"))
    assert "\n" not in verdict.hint


def test_the_most_frequent_code_is_named_by_its_number(tiny):
    drawings = load_drawings()
    octopus = drawings.seen[drawings.names.index("octopus")][None]
    page = tiny.vqgan.quantize(
        tiny.vqgan.encode(F.interpolate(octopus, 128, mode="bicubic").clamp(0, 1))
    )[1]
    codes, counts = page.unique(return_counts=True)
    most, least = int(codes[counts.argmax()]), int(codes[counts.argmin()])
    assert grade("10.5", most).mark == grade("10.5", str(most)).mark == RIGHT
    assert grade("10.5", least).mark == NEAR
    if int(counts.max()) not in codes:
        assert grade("10.5", int(counts.max())).mark == HALFWAY


@pytest.mark.parametrize("number", [10.1, 10, None, "", "10.1 ", b"10.1", fails])
def test_a_number_of_any_kind_raises_nothing(number, capsys):
    check(number, 3328)
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert ("right" in said) == (str(number).strip() == "10.1")
