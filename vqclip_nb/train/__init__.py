"""Training of the embedded models, and fine-tuning of a VQGAN. Built on `run`."""
