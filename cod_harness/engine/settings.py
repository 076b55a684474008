"""Every tuned number of the engine, once, with where it comes from.

Section and table numbers are those of arXiv 2502.17262 v4.  "judgement" marks a choice of ours;
what it was checked by stands beside it.  Numbers that only steer an algorithm and do not change
its answer (iterations, sizes of blocks) stay where the algorithm is.

Importing this module imports nothing.
"""

from __future__ import annotations

# What every method and every document shares.
LEVEL = 0.9  # of intervals unless another is asked for; widths are judged at it, whatever is asked
MIN_RUNGS = 4  # different amounts of compute: Eq. 4 has four parameters
UNIT = 1e18  # FLOP in one BB, the paper's unit of compute; `a` is for C in it (4.3)
OUTLIER = -1  # label of a question in no cluster, as in scikit-learn

# Clustering (A.1, Algorithm 1).
MIN_CLUSTER_SIZE = 10  # K, rows
QUANTILE = 0.1  # Q
MAX_DISTANCE_FRACTION = 0.1  # U = this x the largest distance in the unit cube
EXACT_UP_TO = 200_000  # rows; judgement, checked by benchmarks/clustering.py: time and agreement

# Other clusterers (Table 3).
FAR_FROM_CENTRES = 2.0  # times the mean distance: outliers of Improved-KMeans (A.1)
DENSE_SHARE = 0.9  # of the rows that DBSCAN is to find dense; judgement: the usual elbow

# Fits of the laws (4.2).  The paper is silent on weights and starts.
NOISE_FLOOR = 0.02  # accuracy; what models miss their trend by, at least; judgement, by backtests
B_SCALE = 1.0  # ridge penalty (b / this)^2 on the chi-square; judgement, by backtests
C_SCALE = 0.15  # ridge penalty (c / this)^2 likewise; judgement, by benchmarks/paper_setting.py
B_BOUND = 1.5  # upper bound on b; judgement, by backtests: few jumps are as sudden as they look

# Which clusters extrapolate (C.1, Table A1).
MIN_A = 1.0
MIN_B = 0.1
MAX_C = 1.0
# C of the smallest rung for which MIN_A is meant: 122M parameters, 26B tokens (Table A4), FLOP.
SMALLEST_RUNG = 39.9 * UNIT
MIN_SHARE = 0.1  # of the questions, below which the clusters are silent; judgement, by backtests

# Map from subset to full set (4.4, C.2, C.3).
MAP_RMSE = 0.005  # T, accuracy; 0.0025 overfits, 0.02 underfits (C.3)
MAP_TOP = 0.3  # weight of the map's end against a measured point; judgement, by backtests
REST_POINTS = 5  # the best models, whose rest tells where the rest goes; judgement, likewise
MAX_PIECES = 6  # judgement: as many as ten points can tell
MAP_STIFFNESS = 1e-3  # weight of a smooth slope against the points: enough where there are none
MAP_NEAR = 1.25  # times the least error: more pieces than that needs would follow the noise

# Intervals of the clusters' forecast, by refits.
N_REPLICATES = 200
RUNG_EFFECT = 0.04  # prior scale, accuracy at a rate of 1/2; judgement, by backtests
PRIOR_WEIGHT = 2.0  # rungs' worth of evidence in each prior of an interval; judgement, by backtests
LEAST_GIVE = 0.1  # Bernoulli scale below which a residual tells nothing of the rung effect
REST_GROWTH = 0.5  # sd of how the unpredictable rest goes on, per unit of subset

# The ability of models (views.irt), in units of ability: log a of Eq. 4.
POPULATION_SMOOTH = 0.75  # sd of the kernel that smooths the population of difficulties
# Questions are not exactly of one dimension: more draws than this, or an analytic rate, say no
# more about a question's place among the others.
MOST_DRAWS = 16.0
LEAST_SLOPE = 0.02  # accuracy per unit of ability, below which sampling says nothing of ability

# Behind an accuracy of which only itself is known; half of one is how near it counts to 0 and 1.
UNTOLD_ANSWERS = 1000.0  # judgement: what benchmarks usually have
PLAIN_POPULATION = 1.0  # sd of difficulties where there are no questions to learn them from

# The trend of ability, per e-fold of compute: middles of lognormal priors of sd 1; judgements,
# tried one at a time on the open ladders (docs/accuracy.md): a half or double of any changes no
# ladder's table by much.
SLOPE, SLOPE_SPREAD = 0.35, 0.5  # of a ladder
OWN_SLOPE = 0.2  # spread of a benchmark's slope about its ladder's
TREND_NOISE, TREND_BEND = 0.12, 0.1  # of a benchmark's own
COMMON_NOISE, COMMON_BEND = 0.05, 0.04  # of all benchmarks of a ladder
LEAST_BEND = 0.01  # where the priors put a size of 0
# Benchmarks in units of their own: this power of how far apart their models are; 0 is one unit for
# all, 1 makes all alike. Judgement, by backtests: 0.5 to 1 are all better than 0.
UNIT_POWER = 0.5
LEAST_APART = 0.2  # ability; models closer than that do not make noise of what is not
LEVEL_VARIANCE = 100.0  # of the line's height: as good as unknown

# How far targets lie from the trend (views.reach); judgements, tried on the open ladders likewise.
MISSES_PRIOR = 4.0  # misses' worth of evidence in the prior, a t-distribution with
MISSES_DEGREES = 4.0  # degrees of freedom
MISSES_SMOOTH = 0.4  # sd of the kernel about each miss, standard deviations
LIKE_DISTANCE = 0.7  # sd of the kernel on the log of the distance: misses from afar tell of afar
OWN_MISSES = 0.5  # further weight of a benchmark's own misses, as a share of all
LEAST_REACH = 0.8  # of a normal distribution's: no interval is narrower
# Likewise for a benchmark alone, whose few rungs cannot tell that its trend's spread is too wide;
# of several it is the nearer to LEAST_REACH the more they are.
LEAST_REACH_ALONE = 1.2
EMERGENCE = 0.8  # ability gained in a jump, per square root of an e-fold of compute
EMERGED = 0.1  # accuracy from which on a benchmark has emerged
# Accuracy below which abilities far apart look alike: a judgement that no backtest has tried, since
# no task of the open ladders stands at 0.
UNSEEN = 0.02

# Views pooled; judged on backtests, where a half or double of any of them moves no ladder's mean
# error by more than half a point.
ONE_SD = 0.6827  # probability within a standard deviation of a normal distribution's mean
# The clusters are doubted by this times what their laws missed the last rung by without it.
CLUSTERS_MISS = 3.0
TREND_COARSE = 0.1  # accuracy at a half by which one curve may miss a benchmark of many kinds
LEAST_SD = 0.1  # of any view's weight, ability: no law is exact; 3.5 points of accuracy at a half
POOL_ENDS = 0.003  # the clusters' accuracies are kept this far from 0 and 1

# Verdicts; judgements, checked by the errors of ok and weak forecasts in backtests.
OK_WIDTH = 0.2  # accuracy; the widest interval of a forecast that is ok
OK_MISS = 0.05  # accuracy; the most by which a trend may have missed the last rungs
OK_JUMP = 0.25  # ability; likewise for nine in ten of the ladder's benchmarks
OK_RUNGS = 5  # different amounts of compute: four leave nothing to look back at
OK_SPAN = 8.0  # times the smallest rung's compute that the largest must have
# Beyond this share of the ladder's own log-compute span, extrapolation is far (the paper goes 0.40
# of its ladder's span beyond it).
FAR = 1.0
LOOK_BACK = 3  # rungs held out, one more each time, to see how a method misses
SMALL_SUBSET = 0.2  # share of questions below which the map carries the forecast
BLIND_INTERVAL = 0.7  # accuracy: a number in the middle of it would say nothing
MAP_LEAP = 0.05  # accuracy the map adds beyond its points on the strength of its shape alone
FEW_DRAWS = 8  # samples a question below which rows, and so clusters, are made of luck
STANDSTILL = 0.01  # accuracy the upper rungs must gain on those before them
SOLVED = 0.8  # accuracy above which standing still is no riddle
DISORDER = 0.03  # accuracy by which a rung must fall below a smaller one to be told
TOLD_SIGMA = 3.0  # standard errors that a fall or a rise must exceed to be told

# Baselines (5.2).  Their intervals were chosen on the open ladders, where 90 % intervals hold about
# 87 % of the measured values.
BASELINE_REPLICATES = 100
BASELINE_RUNG_EFFECT = 0.03  # prior scale, accuracy at an accuracy of a half
BASELINE_DRIFT = 0.05  # likewise, for the first of the ladder's typical spacings in log C
BASELINE_MARGIN = 0.02  # accuracies this near to 0 and 1 still move
ABILITY_SLOPE = 0.35  # accuracy per unit of ability near a half: turns NOISE_FLOOR into ability
RECENT = 3.0  # weight of each of the last three rungs in irt's line (arXiv 2606.07616)
LOSS_NOISE = 0.01  # what models miss a loss law by, as a share of the loss
GROUPS = 10  # of K-Means in COD without mapping; the paper gives no number
GROUP_SIZE = 10  # questions of a group, on average, at least
