"""From reconstructions to anomalies: noise, scores, thresholds, as pure functions."""

from hyperspy_cvae.detection._baseline import as_good
from hyperspy_cvae.detection._edges import BEFORE_ONSET, BEHIND_ONSET, Edge, edges_at
from hyperspy_cvae.detection._explain import explain_difference
from hyperspy_cvae.detection._find import Found, find_anomalies, find_low_scores
from hyperspy_cvae.detection._findings import EXPLAINED_AT_ONCE, Explanation, Explanations, Finding
from hyperspy_cvae.detection._kinds import kinds_of
from hyperspy_cvae.detection._noise import Noise, estimate_noise
from hyperspy_cvae.detection._patches import BulkDeviations
from hyperspy_cvae.detection._pearson import pearson_correlation
from hyperspy_cvae.detection._phases import find_phases
from hyperspy_cvae.detection._quality import ReconstructionQuality, reconstruction_quality
from hyperspy_cvae.detection._rare_bulk import without_rare_bulk
from hyperspy_cvae.detection._regions import Region, ResidualScale, describe_regions, without_small
from hyperspy_cvae.detection._scores import (
    QUANTITIES,
    Score,
    check_score,
    energy_bin,
    energy_width,
)
from hyperspy_cvae.detection._threshold import (
    Limit,
    Threshold,
    anomalous,
    as_limit,
    fixed_threshold,
    otsu_threshold,
)

__all__ = [
    "BEFORE_ONSET",
    "BEHIND_ONSET",
    "EXPLAINED_AT_ONCE",
    "QUANTITIES",
    "BulkDeviations",
    "Edge",
    "Explanation",
    "Explanations",
    "Finding",
    "Found",
    "Limit",
    "Noise",
    "ReconstructionQuality",
    "Region",
    "ResidualScale",
    "Score",
    "Threshold",
    "anomalous",
    "as_good",
    "as_limit",
    "check_score",
    "describe_regions",
    "edges_at",
    "energy_bin",
    "energy_width",
    "estimate_noise",
    "explain_difference",
    "find_anomalies",
    "find_low_scores",
    "find_phases",
    "fixed_threshold",
    "kinds_of",
    "otsu_threshold",
    "pearson_correlation",
    "reconstruction_quality",
    "without_rare_bulk",
    "without_small",
]
