from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data import data_file
from trackgen.genome import block_span, decode, encode, open_genome, shuffle_in_place, shuffle_windows
from trackgen.genome.shuffles import BLOCK

WORD = (1 << 64) - 1
seeds = st.integers(-(1 << 63), (1 << 63) - 1)
rows = st.one_of(
    st.text("ACGT", max_size=40),
    st.text("ACGTN", max_size=40),
    st.text("AC", max_size=40),
    st.lists(st.sampled_from(["ACGT", "N", "CA", "A" * 9, "NNN", "TTG"]), max_size=12).map("".join),
)


def shuffled(letters: str, seed: int) -> str:
    return decode(shuffle_windows(encode(letters.encode())[None], np.array([seed]))[0])


def dinucleotides(letters: str) -> Counter[str]:
    return Counter(first + second for first, second in itertools.pairwise(letters) if "N" not in first + second)


def mixed(bits: int) -> int:
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & WORD
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & WORD
    return bits ^ bits >> 31


def number(state: int, index: int) -> int:
    """The generator as its authors write it: add, then mix."""
    return mixed(state + (index + 1) * 0x9E3779B97F4A7C15 & WORD)


def slowly_shuffled(letters: str, seed: int) -> str:
    """The definition, one run, one edge, one step at a time."""
    result = ""
    for known, group in itertools.groupby(letters, lambda letter: letter != "N"):
        run = "".join(group)
        result += slow_run(run, len(result), mixed(seed & WORD)) if known else run
    return result


def slow_run(run: str, start: int, state: int, *, fair: bool = True) -> str:
    edges: dict[str, list[tuple[int, str]]] = {}
    for at, (leave, enter) in enumerate(itertools.pairwise(run), start):
        edges.setdefault(leave, []).append((number(state, at) >> 2 & (1 << 59) - 1, enter))
    inner = [base for base in "ACGT" if base in edges and base != run[-1]]
    options = [tree for tree in itertools.product("ACGT", repeat=len(inner)) if is_tree(inner, tree, run[-1])]
    counts = dinucleotides(run)
    weights = [
        np.prod([counts[base + to] for base, to in zip(inner, tree, strict=True)], initial=1) for tree in options
    ]
    weights = weights if fair else [min(weight, 1) for weight in weights]
    point = (number(mixed(state ^ 0xD1B54A32D192ED03), start) >> 11) / 2**53 * sum(weights)
    tree = options[next(at for at, total in enumerate(itertools.accumulate(weights)) if point < total)]
    lists = {base: list(leaving) for base, leaving in edges.items()}
    last = []
    for base, to in zip(inner, tree, strict=True):
        lists[base].remove(next(edge for edge in lists[base] if edge[1] == to))
        last.append((base, to))
    orders = {base: [to for _, to in sorted(leaving)] for base, leaving in lists.items()}
    for base, to in last:
        orders[base].append(to)
    walk = run[0]
    while len(walk) < len(run):
        walk += orders[walk[-1]].pop(0)
    return walk


def is_tree(inner: list[str], tree: tuple[str, ...], root: str) -> bool:
    following = dict(zip(inner, tree, strict=True))
    for base in inner:
        seen = {base}
        while base in following:
            base = following[base]
            if base in seen:
                return False
            seen.add(base)
        if base != root:
            return False
    return True


def rearrangements(letters: str) -> set[str]:
    """All sequences with the dinucleotides and the first base of `letters`, by trying every next base."""

    def extended(walk: str, left: Counter[str]) -> Iterator[str]:
        if len(walk) == len(letters):
            yield walk
        for pair in [pair for pair in left if pair[0] == walk[-1] and left[pair]]:
            yield from extended(walk + pair[1], left - Counter([pair]))

    return set(extended(letters[0], dinucleotides(letters)))


def unevenness(drawn: list[str], possible: set[str]) -> float:
    """Pearson's chi-square for equal chances, as standard deviations (2 k) above its mean (k degrees of freedom)."""
    counts = Counter(drawn)
    assert counts.keys() <= possible
    expected = len(drawn) / len(possible)
    freedom = len(possible) - 1
    square = sum((counts[letters] - expected) ** 2 / expected for letters in possible)
    return float((square - freedom) / (2 * freedom) ** 0.5)


SHORT = ["AACAGACTA", "ACGTACGATCGAT", "AAAACAACCACA", "TTGATGCATTAGC", "GGCGCCGAGCGG", "CATCATTACATTC"]
"""Three to four bases, ends alike and not, with 12 to 400 rearrangements."""


def drawn_together(letters: str, draws: int) -> list[str]:
    codes = np.tile(encode(letters.encode()), (draws, 1))
    return [decode(row) for row in shuffle_windows(codes, np.arange(draws))]


@pytest.mark.parametrize("letters", SHORT)
def test_every_rearrangement_that_keeps_dinucleotides_is_equally_likely(letters: str) -> None:
    possible = rearrangements(letters)
    assert len(possible) > 5
    # The seeds are fixed, so this passes or fails for good; four deviations are beyond chance for all six.
    assert abs(unevenness(drawn_together(letters, 60_000), possible)) < 4


def test_the_check_of_equal_chances_can_fail() -> None:
    letters = "AAAACAACCACA" + "G" + "ACTA"
    possible = rearrangements(letters)
    assert abs(unevenness(drawn_together(letters, 10_000), possible)) < 4
    unfair = [slow_run(letters, 0, mixed(seed), fair=False) for seed in range(10_000)]
    assert unevenness(unfair, possible) > 20


def test_runs_behind_unknown_bases_have_equal_chances_together() -> None:
    possible = {f"N{first}NN{second}" for first in rearrangements("ACAGA") for second in rearrangements("CTCGCC")}
    assert len(possible) > 10
    assert abs(unevenness(drawn_together("NACAGANNCTCGCC", 40_000), possible)) < 4


@given(rows, seeds)
def test_the_result_is_that_of_the_definition(letters: str, seed: int) -> None:
    assert shuffled(letters, seed) == slowly_shuffled(letters, seed)


def test_long_rows_are_shuffled_as_the_definition_says() -> None:
    random = np.random.default_rng(0)
    for seed, length in enumerate([500, 501, 1500, 4000]):
        codes = random.choice(5, length, p=[0.3, 0.2, 0.15, 0.34, 0.01]).astype(np.uint8)
        assert shuffled(decode(codes), seed) == slowly_shuffled(decode(codes), seed)


@given(rows, seeds)
def test_dinucleotides_ends_and_unknown_bases_of_every_run_stay(letters: str, seed: int) -> None:
    before, after = letters.split("N"), shuffled(letters, seed).split("N")
    assert [len(run) for run in after] == [len(run) for run in before]
    for run, other in zip(before, after, strict=True):
        assert dinucleotides(other) == dinucleotides(run)
        assert (other[:1], other[-1:]) == (run[:1], run[-1:])


@given(st.integers(0, 12), st.lists(st.tuples(st.text("ACGTN", min_size=12, max_size=12), seeds), max_size=6))
def test_a_row_does_not_depend_on_its_batch(length: int, batch: list[tuple[str, int]]) -> None:
    codes = np.array([encode(letters[:length].encode()) for letters, _ in batch], np.uint8).reshape(len(batch), length)
    together = shuffle_windows(codes, np.array([seed for _, seed in batch], np.int64))
    assert together.shape == codes.shape
    assert [decode(row) for row in together] == [shuffled(letters[:length], seed) for letters, seed in batch]


def test_a_row_does_not_depend_on_a_batch_of_thousands() -> None:
    random = np.random.default_rng(1)
    codes = random.choice(5, (2500, 60), p=[0.24, 0.24, 0.24, 0.24, 0.04]).astype(np.uint8)
    row_seeds = random.integers(0, 1 << 60, len(codes))
    together = shuffle_windows(codes, row_seeds)
    order = random.permutation(len(codes))
    assert (shuffle_windows(codes[order], row_seeds[order]) == together[order]).all()
    for row in range(0, len(codes), 97):
        assert decode(together[row]) == shuffled(decode(codes[row]), int(row_seeds[row]))


@pytest.mark.parametrize("letters", ["", "A", "N", "AC", "AA", "NA", "ACG", "AAA", "A" * 50, "N" * 50, "ACGNTGANCC"])
def test_what_has_no_other_order_stays(letters: str) -> None:
    assert {shuffled(letters, seed) for seed in range(20)} == {letters}


def test_two_letters_have_all_their_orders() -> None:
    assert {shuffled("AACCACA", seed) for seed in range(200)} == rearrangements("AACCACA")


def test_signed_and_unsigned_seeds_of_the_same_bits_are_one() -> None:
    codes = encode(b"ACGTTGCAATCGGCTA")[None]
    assert (shuffle_windows(codes, np.array([-1])) == shuffle_windows(codes, np.array([WORD], np.uint64))).all()


def test_the_arguments_stay_as_they_were() -> None:
    codes, row_seeds = np.tile(encode(b"ACGTTGCAATCGGCTA"), (3, 1)), np.arange(3, dtype=np.uint64)
    codes.flags.writeable = row_seeds.flags.writeable = False
    result = shuffle_windows(codes, row_seeds)
    assert result.flags.writeable
    assert not np.shares_memory(result, codes)


def test_columns_of_a_larger_array_will_do() -> None:
    codes = np.random.default_rng(2).integers(0, 4, (6, 90), dtype=np.uint8)
    part = codes[::2, 5:85:2]
    assert (shuffle_windows(part, np.arange(3)) == shuffle_windows(part.copy(), np.arange(3))).all()


@pytest.mark.parametrize(
    ("codes", "row_seeds"),
    [(np.zeros(5), np.zeros(5)), (np.zeros((2, 5)), np.zeros(3)), (np.full((1, 5), 5), np.zeros(1))],
)
def test_wrong_shapes_and_codes_are_refused(codes: np.ndarray, row_seeds: np.ndarray) -> None:
    with pytest.raises(ValueError, match="codes"):
        shuffle_windows(codes.astype(np.uint8), row_seeds.astype(np.int64))


def random_chromosome(length: int) -> Callable[[int, int], np.ndarray]:
    random = np.random.default_rng(length)
    codes = random.choice(5, length, p=[0.3, 0.2, 0.19, 0.3, 0.01]).astype(np.uint8)

    def fetch(start: int, end: int) -> np.ndarray:
        inside = np.full(end - start, 4, np.uint8)
        first, last = max(0, start), max(0, start, min(length, end))
        inside[first - start : last - start] = codes[first:last]
        return inside

    return fetch


@given(st.integers(-1200, 4000), st.integers(0, 2500))
def test_a_shuffled_base_does_not_depend_on_the_stretch_it_is_asked_for_in(start: int, length: int) -> None:
    fetch = random_chromosome(3210)
    whole = shuffle_in_place(fetch(-2000, 7000), "chrI", -2000, 3)
    first, last = block_span(start, start + length)
    assert first <= start
    assert last >= start + length
    assert last - first < length + 2 * BLOCK
    assert (shuffle_in_place(fetch(first, last), "chrI", first, 3) == whole[first + 2000 : last + 2000]).all()


def test_every_block_is_a_window_with_a_seed_of_name_place_and_number() -> None:
    codes = random_chromosome(1900)(-500, 2000)
    state = int.from_bytes(hashlib.blake2b(b"7 chr2L", digest_size=8).digest(), "little")
    blocks = [
        slowly_shuffled(decode(codes[at : at + 500]), number(state, at // 500 - 1)) for at in range(0, len(codes), 500)
    ]
    assert decode(shuffle_in_place(codes, "chr2L", -500, 7)) == "".join(blocks)


def test_equal_blocks_are_shuffled_otherwise_by_place_name_and_number() -> None:
    block = random_chromosome(500)(0, 500)
    results = [
        shuffle_in_place(np.tile(block, 4), name, -1000, which) for name in ("chr1", "chr11") for which in (0, 1, 10)
    ]
    assert len({part.tobytes() for result in results for part in result.reshape(-1, 500)}) == 4 * len(results)


def test_dinucleotides_across_the_borders_of_blocks_stay_too() -> None:
    codes = np.random.default_rng(3).integers(0, 4, 5000, dtype=np.uint8)
    assert dinucleotides(decode(shuffle_in_place(codes, "chr1", 0, 0))) == dinucleotides(decode(codes))


@pytest.mark.parametrize(("start", "length"), [(1, 500), (-499, 500), (0, 499), (500, 501)])
def test_stretches_that_cut_blocks_are_refused(start: int, length: int) -> None:
    with pytest.raises(ValueError, match="not whole blocks of 500"):
        shuffle_in_place(np.zeros(length, np.uint8), "chr1", start, 0)


def test_stretches_of_several_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="not whole blocks of 500"):
        shuffle_in_place(np.zeros((2, 500), np.uint8), "chr1", 0, 0)


@pytest.mark.parametrize(
    ("start", "end", "span"),
    [(0, 0, (0, 0)), (0, 1, (0, 500)), (-1, 500, (-500, 500)), (499, 501, (0, 1000)), (-500, -1, (-500, 0))],
)
def test_spans_are_rounded_outwards(start: int, end: int, span: tuple[int, int]) -> None:
    assert block_span(start, end) == span


def test_an_empty_stretch_stays_empty() -> None:
    assert shuffle_in_place(np.zeros(0, np.uint8), "chr1", 1000, 0).tolist() == []


def test_shuffles_are_the_same_for_good() -> None:
    # Tracks made with a shuffled reference hang on these letters: who changes them says so in CHANGELOG.md.
    codes = np.concatenate([np.tile(encode(b"ACGGTATTGCATCCAGNTAC"), 20), np.full(100, 4, np.uint8)])
    assert (
        decode(shuffle_in_place(codes, "chrM", 0, 1))[:60]
        == "ATGTTCCGCACATAGGNTTACATATGGTCCGCACAGNTCCATTACATGGCACGTAGNTAC"
    )


@pytest.mark.data
def test_a_real_chromosome_keeps_its_dinucleotides_and_little_else() -> None:
    with open_genome(data_file("genome_yeast/sacCer3.2bit")) as genome:
        start, end = block_span(0, genome.lengths["chrI"])
        codes = genome.fetch("chrI", start, end)
    result = shuffle_in_place(codes, "chrI", start, 0)
    for before, after in zip(codes.reshape(-1, BLOCK), result.reshape(-1, BLOCK), strict=True):
        assert dinucleotides(decode(after)) == dinucleotides(decode(before))
    known = codes < 4
    assert (result[~known] == 4).all()
    # Unrelated bases of yeast's composition agree at .31 squared twice and .19 squared twice: .27 of all places.
    assert (result == codes)[known].mean() == pytest.approx(0.27, abs=0.02)
