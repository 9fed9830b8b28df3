"""VQGAN, CLIP, the draft and the judge, and where their weights come from. May import `settings`, `prompt_syntax` and `storage.files`."""
