"""What a run leaves on disk, and what it reads from there.

May import `settings`, `pictures` and `prompt_syntax`.
"""
