"""The look of the panels: one style sheet, whose colours come from the front end's own theme."""

from __future__ import annotations

import ipywidgets as widgets

# JupyterLab, VS Code and Colab each have variables of their own. The rest is mixed from the text's
# colour, so that it stays legible on a light page and on a dark one.
_STYLE = """<style>
.vq-panel {
  --vq-text: var(--vscode-foreground, var(--jp-ui-font-color1, #212121));
  --vq-quiet: color-mix(in srgb, var(--vq-text) 78%, transparent);
  --vq-line: color-mix(in srgb, var(--vq-text) 22%, transparent);
  --vq-tint: color-mix(in srgb, var(--vq-text) 6%, transparent);
  --vq-red: color-mix(in srgb, #e02020 72%, var(--vq-text));
  container-type: inline-size; width: 100%; max-width: 1200px; color: var(--vq-text);
  overflow: visible; scroll-margin-top: 6px;
}
html[theme=dark] .vq-panel { --vq-text: #e8eaed; }
.vq-panel .widget-label, .vq-panel .widget-html-content, .vq-panel .widget-readout,
.vq-panel .widget-label-basic { color: var(--vq-text); }
.vq-panel .widget-html, .vq-panel .widget-html-content { overflow: visible; }
.vq-panel .widget-html-content { line-height: 1.35; }
.vq-panel .vq-quiet {
  color: var(--vq-quiet); font-size: 12px; }
.vq-panel .vq-error { color: var(--vq-red); font-weight: 600; }
.vq-panel .vq-wrong :is(input, select, textarea) {
  outline: 2px solid var(--vq-red); outline-offset: -2px; }

/* prompt, buttons, picture and sliders side by side; below each other in a narrow column */
.vq-panel .vq-core { display: grid; width: 100%; gap: 4px 16px; align-items: start;
  grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); overflow: visible; }
.vq-panel .vq-core > * { width: auto; min-width: 0; overflow: visible; }
@container (max-width: 640px) {
  .vq-panel .vq-core { grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); gap: 4px 10px; }
}
@container (max-width: 400px) { .vq-panel .vq-core { grid-template-columns: minmax(0, 1fr); } }
.vq-frame { --vq-high: 380px; display: grid; align-items: center; justify-items: center; gap: 2px;
  grid-template-columns: repeat(var(--vq-columns), minmax(0, 1fr)); grid-auto-rows: minmax(0, 1fr);
  width: min(100%, calc(var(--vq-high) * var(--vq-ratio))); aspect-ratio: var(--vq-ratio);
  margin: 0 auto; background: var(--vq-tint); border-radius: 6px; overflow: hidden;
  color: var(--vq-quiet); text-align: center; }
.vq-frame img { width: 100%; height: 100%; max-width: none; margin: 0; object-fit: contain;
  cursor: zoom-in; }
@container (max-width: 400px) { .vq-frame { --vq-high: 240px; } }
@container (min-width: 1100px) { .vq-frame { --vq-high: 520px; } }
.vq-strip { display: flex; gap: 3px; min-height: 44px; }
.vq-strip > * { flex: 0 1 44px; min-width: 0; cursor: pointer; }
.vq-panel .vq-seed { align-items: center; }
.vq-panel .vq-hidden { display: none; }
.vq-dot { position: absolute; width: 1px; height: 1px; opacity: 0; }
.vq-panel .vq-status { min-height: 38px; margin: 0 2px; }
.vq-panel .vq-status .widget-html-content { max-height: 54px; overflow: auto; }
.vq-panel .vq-progress { width: auto; height: 10px; margin: 0 2px; }
.vq-panel .vq-progress .progress { height: 6px; }
.vq-curve svg { display: block; width: 100%; max-width: 480px; height: auto; color: var(--vq-text); }

/* a label of one width, and the field fills the rest */
.vq-panel .widget-inline-hbox { width: auto; margin: 1px 2px; }
.vq-panel .widget-inline-hbox > .widget-label { flex: 0 0 auto; width: 98px;
  text-align: left; overflow: hidden; text-overflow: ellipsis; }
@container (max-width: 640px) {
  .vq-panel .vq-core .widget-inline-hbox > .widget-label { width: 92px; }
}
.vq-panel .vq-core > :first-child .widget-inline-hbox > .widget-label { width: auto;
  margin-right: 10px; }
.vq-panel .widget-inline-hbox > :is(input, select, textarea, .slider-container) {
  flex: 1 1 0; min-width: 0; }
.vq-panel .widget-hbox { overflow: visible; }
.vq-panel .widget-hbox > .widget-inline-hbox { flex: 1 1 0; min-width: 0; }
.vq-panel .widget-hbox > .vq-beside { flex: 0 0 60px; }
.vq-panel .vq-beside > .widget-label { position: absolute; width: 1px; height: 1px;
  clip-path: inset(50%); }
.vq-panel .vq-slider .slider { border-color: var(--vq-line); }
.vq-panel .widget-hbox > .vq-height { flex: 0 0 110px; }
.vq-panel .vq-height.widget-inline-hbox > .widget-label { width: 14px; }
.vq-panel .vq-row { width: 100%; overflow: visible; }
.vq-panel .vq-prompt .widget-inline-hbox { height: auto; }
.vq-panel .vq-prompt .widget-label { position: absolute; width: 1px; clip-path: inset(50%); }
.vq-panel .vq-prompt textarea { height: 66px; padding: 6px 8px; resize: none;
  font: 15px/18px var(--jp-ui-font-family, sans-serif); }
.vq-panel .vq-words { min-height: 28px; max-height: 56px; overflow: auto; flex-flow: row wrap; }
.vq-panel .vq-hint { width: auto; margin: 2px; }
.vq-panel .vq-fields { width: 100%; max-width: 640px; overflow: visible; }
.vq-painting .vq-next-run { position: relative; }
.vq-painting .vq-next-run::after { content: "next run"; position: absolute; right: 24px; top: 6px;
  padding: 0 6px; border-radius: 8px; font-size: 11px; line-height: 18px; pointer-events: none;
  color: var(--vq-text); background: var(--vq-line); }

.vq-panel .vq-buttons { display: flex; flex-flow: row wrap; gap: 6px; margin: 2px; }
.vq-panel .vq-buttons > .jupyter-button { width: auto; margin: 0; flex: 0 0 auto; }
.vq-panel .vq-buttons > .vq-main { flex: 1 1 70px; font-size: 14px; height: 32px; }
.vq-panel .vq-start:not(:disabled) { color: #fff; background: #1565c0; }
.vq-panel .vq-chips { display: flex; flex-flow: row wrap; gap: 4px 6px; margin: 2px; }
.vq-panel .jupyter-button.vq-chip { width: auto; height: 24px; line-height: 22px; margin: 0;
  padding: 0 10px; border-radius: 12px; font-size: 12px; color: var(--vq-text);
  background: var(--vq-tint); border: 1px solid var(--vq-line); box-shadow: none; }
.vq-panel .jupyter-button.vq-chip:hover { border-color: var(--vq-text); }
.vq-panel table { border-collapse: collapse; color: var(--vq-text); font-size: 13px; }
.vq-panel :is(td, th) { padding: 3px 12px 3px 0; text-align: left; vertical-align: top;
  background: none; color: var(--vq-text); white-space: normal; }

.vq-runs { display: flex; flex-flow: row wrap; gap: 6px; max-height: 320px; overflow: auto; }
.vq-run { position: relative; width: 72px; padding: 2px; border: 2px solid transparent;
  border-radius: 4px; cursor: pointer; font-size: 11px; line-height: 1.25; }
.vq-run.vq-chosen { border-color: #1565c0; }
.vq-run i { display: block; max-height: 2.5em; overflow: hidden; font-style: normal; }
.vq-run b { position: absolute; top: 2px; right: 4px; color: #ffb300;
  text-shadow: 0 0 3px #000; font-size: 14px; }
.vq-wipe { position: relative; width: min(100%, 380px); --vq-at: 50%; }
.vq-wipe img { display: block; width: 100%; margin: 0; }
.vq-wipe img + img { position: absolute; top: 0; left: 0; clip-path: inset(0 0 0 var(--vq-at)); }
.vq-wipe input { width: 100%; }

.vq-drop { max-width: 640px; padding: 22px 12px; text-align: center; cursor: pointer;
  border: 2px dashed var(--vq-line); border-radius: 6px; color: var(--vq-quiet); }
.vq-drop:focus { border-color: #1565c0; outline: none; }
.vq-masked div { width: min(100%, 384px); margin: 4px 0; background-size: 100% 100%; }
.vq-masked canvas { display: block; width: 100%; opacity: 0.6; cursor: crosshair;
  touch-action: none; }
.vq-masked label { display: inline-flex; align-items: center; gap: 6px; margin-right: 12px; }
.vq-panel .vq-grid { display: block; overflow: auto; }
.vq-panel .vq-grid :is(td, th) { padding: 2px 4px; vertical-align: middle; max-width: 160px; }
.vq-panel .vq-grid td { cursor: pointer; }

/* the large view is a child of the page's body */
.vq-large { width: 100vw; height: 100vh; max-width: none; max-height: none; margin: 0; padding: 0;
  border: 0; color: #eee; background: rgb(0 0 0 / 92%); font: 14px/1.4 sans-serif; }
.vq-large[open] { display: grid; grid-template-rows: minmax(0, 1fr) auto; }
.vq-large div { display: flex; overflow: auto; }
.vq-large img { width: 100%; height: 100%; margin: auto; object-fit: contain; cursor: zoom-in; }
.vq-large.vq-natural img { width: auto; height: auto; }
.vq-large.vq-pixels img { image-rendering: pixelated; }
.vq-large p { display: flex; flex-flow: row wrap; gap: 6px; margin: 0; padding: 8px 12px; }
.vq-large span { flex: 1 1 200px; }
.vq-large button { padding: 3px 12px; border: 1px solid #888; border-radius: 4px; color: #eee;
  background: #333; cursor: pointer; }

/* the front end marks a panel whose kernel is gone */
.vq-panel.jupyter-widgets-disconnected > * { opacity: 0.45; pointer-events: none; }
.vq-panel.jupyter-widgets-disconnected::before { content:
  "This panel has lost its kernel. Run its cell again; pictures that it kept are in Runs.";
  display: block; padding: 6px 10px; font-family: inherit; font-size: 14px; font-weight: 600;
  color: var(--vq-red); position: static; }
</style>"""


def style_sheet() -> widgets.HTML:
    """The style sheet, to be put into a panel of the class `vq-panel`."""
    return widgets.HTML(_STYLE, layout=widgets.Layout(display="none"))
