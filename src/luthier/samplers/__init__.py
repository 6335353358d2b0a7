"""Who proposes new points. To add one: a file here, and a line in `luthier.registry.SAMPLERS`."""
