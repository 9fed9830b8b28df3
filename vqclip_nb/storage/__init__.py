"""What a run leaves on disk, and what it reads from there. May import `settings` and `prompt_syntax`."""
