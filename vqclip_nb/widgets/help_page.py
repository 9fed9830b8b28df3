"""The panel's help, and its example prompts."""

from __future__ import annotations

EXAMPLES = (  # every word is known to the embedded CLIP
    "a castle on a hill at sunset",
    "a lighthouse in a storm",
    "a penguin on the snow",
    "two orange fish under water",
    "a black cat on a red couch",
    "a dragon above a village",
    "a tree in autumn",
    "a rocket in space, comic",
    "a butterfly on a flower, stained glass",
    "a brown dog on the beach, pixel art",
    "a red apple on a light blue background",
    "sunrise over the mountains ^ night over the mountains",
)

_ROWS = {
    "a red field with a sentence": "The value is not allowed; the sentence says which values are.",
    "CLIP reads one word as another": "It never saw that word. Click a suggestion below the prompt, "
    "or keep it.",
    "the picture stays a blur": "Use more iterations (<i>50 more</i>), a larger "
    "<code>learning_rate</code> or another <code>seed</code>.",
    "the style does not show": "Use a larger <code>w2</code>, or one of the styles in "
    "<i>Settings</i>, which CLIP has learned. <i>Grid</i> shows several weights beside each other.",
    "the picture is small": "<i>2×</i> paints it on at twice the size. Each iteration then takes "
    "about four times as long.",
    "<i>next run</i> beside a field": "The field cannot change while a picture is painted. All "
    "other fields can.",
    "Start asks for the cell": "On Colab, painting needs a running cell. Run the panel's cell "
    "again.",
    "the panel has lost its kernel": "Run its cell again. <i>Runs</i> lists what was painted "
    "before.",
    "the kernel died in the middle": "<code>run = vq.Run.resume(folder)</code>, then <code>for it "
    "in run: pass</code>, paints the rest.",
}

HELP = (
    "<p>A <b>VQGAN</b> paints, and <b>CLIP</b> scores how well crops of the picture fit the "
    "sentence. Each iteration moves the picture a little towards a better score.</p>"
    "<p><b>prompt</b>: <code>a cat | a dog</code> paints both, <code>a cat:2 | a dog</code> weighs "
    "them, <code>dawn ^ dusk</code> tells a story. <b>extras</b>: the style or mood. <b>w1</b>, "
    "<b>w2</b>: their weights. Point at a field's name to read about it. Enter in the prompt "
    "paints; an empty prompt offers the latest ones.</p>"
    "<table><tr><th>what you see</th><th>what to do</th></tr>"
    + "".join(f"<tr><td>{seen}</td><td>{do}</td></tr>" for seen, do in _ROWS.items())
    + "</table>"
    "<p><code>vq.Settings.from_png('picture.png')</code> reads the settings from any picture that "
    "was painted here.</p>"
)
