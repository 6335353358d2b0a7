"""Every number of the autopilot: its unit, and where it comes from.

"Measured" means `benchmarks/panda.py`, or the small trainings that it grew out of.
"""

# what may be spent, in shares of the planned steps
CALIBRATION_SHARE = (0.13, 0.05)  # probes at the start, up to 1,000 steps and from 10,000 steps on
TOTAL_SHARE = 0.15  # probes and rehearsals together
N_ROLLBACKS = 5  # without a person's touch in between; OPT-175B and PaLM needed more, with people
N_REFUSED = 3  # actions in a row
N_TESTS = 3  # interventions that are rehearsed in one training
N_RESCUES = 2  # new runs for one whose code failed: a third time it is no matter of the rate

# calibration: rates on a grid around the first one
GRID = 3.0  # ratio of neighbouring rates; the loss is flat within it (measured)
STRIDE = 2  # grid points between two coarse probes: a ninefold rate
PROBE_SHARE = 0.01  # of the planned steps, for the first probe of each rate (measured: 1 % + 2 %)
# the better so many train on, up to so many times the first probe: after one step nothing has
# diverged yet, and some rates that win in the long run have only made the loss worse (measured)
RUNGS = ((3, 3), (2, 6))
ALIKE = 0.005  # of the loss: within it the higher rate is taken, as it has shown no harm
# of the loss, gained by the best of the coarse probes: with less they train on before anything is
# concluded, and if they are still alike within it, the rate given is kept (measured)
TELLING = 0.02
NOISES = 2.0  # … or by so many times the noise of the curve of the rate given
N_LONGER, N_LONGEST = 3, 6  # times the first probe
EXPLODED = 0.3  # of the loss, above that of the lowest rate: not even with nothing learned
# a rate whose loss has risen by so much of what it had learned is no rate to come near to
LOOSE = 0.08
# a decay to zero wants a higher peak than the best constant rate. On a quadratic 2 to 3.5 times; of
# real networks those with Adam did best at 2 to 3, one with momentum had twice the loss at 2, and
# 1.5 was good for all (measured). Short probes overrate high rates at the start of a training (1.4
# to 4 times on a quadratic), so that after them the peak is below the winner's rate: a quarter was
# lost where it was not (measured)
BOOST, BOOST_SHORT = 1.5, 0.6  # after the last rung, and before it
BELOW_DIVERGENCE = 0.5  # of the lowest rate that diverged: never go higher

# the course of the rate
# of the planned steps, from the winner's rate to the peak; 2 % did as well with Adam and doubled
# the loss with momentum where the peak was near to what diverges (measured)
RISE_SHARE = 0.1
COOLDOWN_SHARE = 0.2  # of the steps so far, where no end is known (arXiv:2405.18392)
N_COOLDOWN_POINTS = 8  # of 1 - sqrt, drawn by straight lines
AVERAGE_STEPS = 1.0  # window of the mean of weights where no end is known (measured: -2 to -12 %)
LONGER_SHARE, LEAST_LONGER = 0.02, 2.0  # of the steps so far, and steps: less is not worth a rise
REWARMED = 0.5  # of the peak, where the budget has grown after the decay
SAVE_SHARE = 0.01  # of the planned steps between two checkpoints

# the guard
PATIENCE = 3  # reports that must all lie too high
SIGMAS = 6.0  # of the noise of one report
RISEN = 0.3  # of what was learned, lost again within a few reports
LEVEL = 0.05  # of the loss: with little learned yet, a rise below it is noise (measured)
# of what was learned, lost again: in twice the reports it needs no noise, which trouble raises
FORGOTTEN = 0.9
N_ERRATIC = 2  # reports among them that high, though not in a row
WITHIN = 3  # times PATIENCE: what takes longer to rise is overfitting, no divergence
DEAR_SHARE = 0.05  # of the planned steps: a rollback that loses more waits twice the patience
BORNE = 0.9  # of a rate that the training has borne: below it a divergence is no matter of the rate
BACK_SHARE = 0.01  # of the planned steps before the onset, to begin again from (OPT, PaLM: 100)
# on the rate after a divergence, and where leaving out batches was not enough: one grid step
MILDER = 1.0 / 3.0

# tests in the middle
FIRST_SHARE, LAST_SHARE = 0.2, 0.8  # of the planned steps: nothing is tested before and after
APART_SHARE = 0.1  # of the planned steps between two tests, and for which a direction is tabu
OVERFIT = 0.03  # of the best loss, exceeded by PATIENCE reports (Prechelt: GL 3)
PLATEAU_WINDOW, PLATEAU_PART = 8, 0.25  # reports at least, and part of all reports
PLATEAU_AHEAD = 0.1  # of the planned steps: the gain to be expected there is below the noise
REHEARSAL_SHARE = 0.015  # of the planned steps, annealed to zero
N_REHEARSED = 6  # reports at least that are compared: of fewer nothing can be said
ALPHA = 0.05  # of the first test; each further one may spend half of it
LEAST_GAIN = 0.005  # of the control's loss
DOWN, UP = 0.4, 2.5  # factors on the rate
UP_TAKEN = 0.5  # of the logarithm of a factor that won: rehearsals overrate high rates (measured)
DECAY_FACTOR = 3.0  # on the weight decay, against overfitting
DROPOUT_STEP, DROPOUT_MOST = 0.1, 0.5
PROBATION_SHARE = 0.03  # of the planned steps: after them a change is judged
