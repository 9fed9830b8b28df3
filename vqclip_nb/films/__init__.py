"""Moving pictures: time lapses, morphs and journeys. Built on `run`."""
