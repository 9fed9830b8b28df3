"""The loop as pure computation on tensors: no files, network or widgets; it may import models."""
