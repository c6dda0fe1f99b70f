"""Bands, draws, and what their labels say: errors, intervals and power on populations made up."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from domain.drift.drawn_performance import SINGLE_DRAW_P
from tabular.classification import Bools, Floats
from tabular.draws.bands import FALL, Band, Worlds, cut_bands, imagine_worlds
from tabular.draws.change import find_p_value
from tabular.draws.estimate import BandCounts, Bounds, Figures, estimate_figures
from tabular.draws.power import find_power

ROWS = 20_000


@dataclass(frozen=True)
class Population:
    """Rows with calibrated chances; ``labels`` may follow them or not."""

    chances: Floats
    predicted: Bools
    labels: Bools
    old: Bools

    @property
    def worlds(self) -> Worlds:
        return imagine_worlds(self.chances, self.predicted)

    def cut(self, count: int) -> list[Band]:
        return cut_bands(
            worlds=self.worlds,
            predicted=self.predicted,
            segments=(self.old.astype(np.int64),),
            ids=np.arange(len(self.chances)),
            count=count,
        )

    def figures(self, bands: list[Band], draws: int) -> Figures:
        random = np.random.default_rng(5)
        positives = [
            [np.count_nonzero(self.labels[band.draw(random)]) for band in bands]
            for _ in range(draws)
        ]
        return estimate_figures(_count(bands), np.array(positives, dtype=np.float64))

    @property
    def truth(self) -> dict[str, float]:
        true = np.count_nonzero(self.labels & self.predicted)
        called, positive = np.count_nonzero(self.predicted), np.count_nonzero(self.labels)
        return {
            "f1": 2 * true / (called + positive),
            "precision": true / called,
            "recall": true / positive,
        }


def _count(bands: list[Band]) -> BandCounts:
    return BandCounts(
        rows=np.array([float(len(band.rows)) for band in bands]),
        called_positive=np.array([band.called_positive for band in bands]),
        labelled=np.array([float(band.wanted) for band in bands]),
    )


def _make(turned: float = 0.0, healed: float = 0.0, rows: int = ROWS) -> Population:
    """Most rows are clear, some are not; a share of labels turns positive, or negative."""
    random = np.random.default_rng(1)
    chances = random.beta(0.15, 1.8, rows)
    old = random.random(rows) < 0.2
    labels = random.random(rows) < chances
    labels |= random.random(rows) < turned
    labels &= random.random(rows) >= healed
    return Population(chances, chances >= 0.4, labels, old)


@pytest.mark.parametrize("count", [50, 151, 300])
def test_every_row_of_a_band_is_drawn_equally_often_and_all_labels_are_used(count: int) -> None:
    population = _make(rows=2_000)
    bands = population.cut(count)
    random, drawn = np.random.default_rng(2), Counter[int]()
    for _ in range(2_000):
        rows = np.concatenate([band.draw(random) for band in bands])
        assert count == len(rows) == len(set(rows.tolist()))
        drawn.update(rows.tolist())
    assert sorted(np.concatenate([band.rows for band in bands])) == list(range(2_000))
    for band in bands:
        share = band.wanted / len(band.rows)
        found = np.array([drawn[row] for row in band.rows.tolist()]) / 2_000
        assert np.abs(found - share).max() < 5 * np.sqrt(share * (1 - share) / 2_000) + 1e-9


def test_a_band_holds_one_answer_and_each_segment_gets_its_share_of_the_labels() -> None:
    population = _make()
    for band in population.cut(300):
        assert {band.called_positive} == set(population.predicted[band.rows].tolist())
        old = population.old[band.draw(np.random.default_rng(1))]
        expected = population.old[band.rows].mean() * band.wanted
        assert abs(np.count_nonzero(old) - expected) <= 1


def test_a_band_smaller_than_its_share_is_drawn_whole_and_others_get_the_rest() -> None:
    population = _make(rows=400)
    chances = np.where(population.predicted, 0.3, population.chances)
    chances[:6] = 0.9
    few = Population(chances, chances >= 0.5, population.labels, population.old)
    bands = few.cut(150)
    assert (6, 6) == (len(bands[0].rows), bands[0].wanted)
    assert 150 == sum(band.wanted for band in bands)


def test_rows_with_a_low_score_get_labels_too() -> None:
    population = _make()
    lowest = population.chances < 0.01
    drawn = np.concatenate([band.draw(np.random.default_rng(3)) for band in population.cut(300)])
    assert 20 < np.count_nonzero(lowest[drawn]) < 150


def test_the_order_of_the_table_does_not_change_the_draw() -> None:
    population = _make(rows=3_000)
    order = np.random.default_rng(9).permutation(3_000)

    def draw(rows: np.ndarray) -> set[int]:
        bands = cut_bands(
            worlds=imagine_worlds(population.chances[rows], population.predicted[rows]),
            predicted=population.predicted[rows],
            segments=(population.old[rows].astype(np.int64),),
            ids=rows,
            count=150,
        )
        random = np.random.default_rng(4)
        return {int(rows[row]) for band in bands for row in band.draw(random)}

    assert draw(np.arange(3_000)) == draw(order)


@pytest.mark.parametrize(("turned", "healed"), [(0, 0), (0.02, 0), (0.1, 0), (0, 0.3)])
@pytest.mark.parametrize("count", [150, 300])
def test_the_intervals_cover_the_truth_in_19_of_20_draws(
    turned: float, healed: float, count: int
) -> None:
    population = _make(turned, healed)
    figures = population.figures(population.cut(count), 1_000)
    for name, truth in population.truth.items():
        bounds: Bounds = getattr(figures, name)
        covered = np.mean((bounds.low <= truth) & (truth <= bounds.high))
        assert 0.93 <= covered, name
    assert population.truth["f1"] == pytest.approx(figures.f1.value.mean(), abs=0.02)


def test_labels_of_all_rows_give_the_exact_figures_without_an_interval() -> None:
    population = _make(rows=600)
    bands = population.cut(600)
    figures = population.figures(bands, 1)
    for name, truth in population.truth.items():
        bounds: Bounds = getattr(figures, name)
        found = (bounds.low[0], bounds.value[0], bounds.high[0])
        assert (truth,) * 3 == pytest.approx(found)


def test_without_any_positive_label_f1_may_be_anything_that_the_labels_do_not_exclude() -> None:
    counts = BandCounts(
        rows=np.array([500.0, 9_500.0]),
        called_positive=np.array([True, False]),
        labelled=np.array([50.0, 100.0]),
    )
    figures = estimate_figures(counts, np.array([50.0, 0.0]))
    assert [1.0, 1.0] == [float(figures.f1.value), float(figures.recall.value)]
    assert 0.5 < figures.f1.low < 0.9
    none = estimate_figures(counts, np.array([0.0, 0.0]))
    assert np.isnan(none.recall.value)
    assert 0.0 == none.f1.value


def test_the_worlds_of_a_lower_f1_are_lower_by_the_fall() -> None:
    population = _make()
    worlds = population.worlds

    def f1(chances: Floats) -> float:
        true = chances[population.predicted].sum()
        return float(2 * true / (np.count_nonzero(population.predicted) + chances.sum()))

    assert worlds.f1 == pytest.approx(f1(worlds.same))
    assert [worlds.f1 - FALL] * 2 == pytest.approx([f1(worlds.missed), f1(worlds.false)], abs=1e-3)


def test_labels_that_follow_the_probabilities_contradict_them_no_more_often_than_agreed() -> None:
    population, random = _make(), np.random.default_rng(6)
    bands, found = population.cut(150), []
    for _ in range(150):
        drawn = population.worlds.take(np.concatenate([band.draw(random) for band in bands]))
        found.append(find_p_value(random.random(150) < drawn.same, drawn))
    assert np.mean(np.array(found) <= SINGLE_DRAW_P) < 0.11
    assert 0.4 < np.mean(found) < 0.6


def test_outcomes_where_none_were_expected_contradict_the_probabilities() -> None:
    population, random = _make(turned=0.1), np.random.default_rng(6)
    rows = np.concatenate([band.draw(random) for band in population.cut(150)])
    assert find_p_value(population.labels[rows], population.worlds.take(rows)) < 0.001


def test_the_power_is_what_the_same_draw_then_has_and_grows_with_its_labels() -> None:
    population = _make()
    power = [
        find_power(population.cut(count), population.worlds, np.random.default_rng(0))
        for count in (60, 150, 300, 800)
    ]
    assert sorted(power) == power
    assert power[0] < 0.75 < power[-1]
