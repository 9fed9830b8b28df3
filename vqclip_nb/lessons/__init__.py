"""Helpers of the lesson notebooks: drawings, figures and checks of the exercises.

Built on `core`.
"""
