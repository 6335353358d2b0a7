"""Models that policies and samplers predict with: numpy and scipy only."""
